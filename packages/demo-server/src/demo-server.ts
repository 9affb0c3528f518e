import { setTimeout } from 'node:timers/promises'
import { events, StoreError } from 'concurrency-kit'
import type { Logger } from 'pino'
import { chargeBalance } from './charge-balance.ts'
import type { Config } from './config.ts'
import { openDatabase } from './database/database.ts'
import { httpServer } from './http/server.ts'
import { openLocks } from './locks.ts'
import { on, openMetrics } from './metrics.ts'
import { purgeRegularly } from './purge.ts'
import { wire } from './wiring.ts'

export interface DemoServer {
  readonly url: string
  /** Takes no new requests, lets those running finish, then releases the leases and closes the stores. */
  close(): Promise<void>
}

/** Longest time for the stores to answer `/ready`, in ms. */
const READY_MS = 1_000

/** Rejects, with nothing left open, when a store or the port cannot be had. */
export async function startDemoServer(config: Config, log: Logger): Promise<DemoServer> {
  const undo: (() => unknown)[] = []
  const close = async () => {
    // A store that is down is no reason to leave the next one open.
    const failures: unknown[] = []
    for (const step of undo.splice(0).reverse()) {
      try {
        await step()
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw failures[0]
  }
  try {
    const database = await openDatabase(config, log)
    undo.push(() => database.close())
    await database.prepareSchema(config.seedUsers)
    const locks = await openLocks(config.locks, log)
    undo.push(() => locks.close())

    const wiring = wire(database, locks.store, config, log)
    undo.push(on(events.lock.acquired, ({ key }) => log.info(`Distributed lock acquired: ${key}`)))
    undo.push(
      purgeRegularly(wiring.records, (outcome) => {
        if (outcome instanceof Error) log.warn({ err: outcome }, 'Expired records could not be deleted')
        else log.info(`Expired records deleted: ${outcome}`)
      }),
    )

    const metrics = openMetrics()
    undo.push(metrics.close)
    const checkStores = async () => {
      const late = new AbortController()
      const timeOut = setTimeout(READY_MS, undefined, { signal: late.signal }).then(() => {
        throw new StoreError(`a store did not answer within ${READY_MS} ms`)
      })
      const answers = Promise.all([database.ready(), locks.ready()])
      await Promise.race([answers, timeOut]).finally(() => late.abort())
    }
    const server = httpServer({
      charge: chargeBalance(wiring),
      accounts: wiring.accounts,
      metrics,
      checkStores,
      log,
      requestMs: config.limits.requestMs,
    })
    undo.push(() => server.close())
    const url = await server.listen({ host: config.host, port: config.port })
    return { url, close }
  } catch (error) {
    await close().catch(() => {})
    throw error
  }
}
