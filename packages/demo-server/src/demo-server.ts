import { setTimeout } from 'node:timers/promises'
import { events, StoreError } from 'concurrency-kit'
import type { Logger } from 'pino'
import { chargeBalance } from './charge-balance.ts'
import type { Config } from './config.ts'
import { openDatabase } from './database.ts'
import { httpServer } from './http/server.ts'
import { on, openMetrics } from './metrics.ts'
import { purgeRegularly } from './purge.ts'
import { prepareSchema } from './schema.ts'
import { wire } from './wiring.ts'

export interface DemoServer {
  readonly url: string
  /** Takes no new requests, lets those running finish, then releases the leases and closes the database. */
  close(): Promise<void>
}

/** Longest time for the database to answer `/ready`, in ms. */
const READY_MS = 1_000

/** Rejects, with nothing left open, when the database or the port cannot be had. */
export async function startDemoServer(config: Config, log: Logger): Promise<DemoServer> {
  const undo: (() => unknown)[] = []
  const close = async () => {
    for (const step of undo.splice(0).reverse()) await step()
  }
  try {
    const database = await openDatabase(config.databaseFile)
    undo.push(() => database.close())
    await prepareSchema(database.writer, config.seedUsers)

    const wiring = wire(database, config.switches, config.limits, log)
    undo.push(() => wiring.locks.close())
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
        throw new StoreError(`the database did not answer within ${READY_MS} ms`)
      })
      await Promise.race([database.reader.raw('SELECT 1 FROM users LIMIT 1'), timeOut]).finally(() => late.abort())
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
    await close()
    throw error
  }
}
