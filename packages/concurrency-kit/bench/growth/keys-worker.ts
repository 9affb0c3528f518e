/** A process whose callers go round many keys; then it holds all of them at once. */
import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { ioredisLockStore } from '../../src/entries/ioredis.ts'
import { acquireLock, type LockStore, memoryLockStore } from '../../src/index.ts'
import { type WayName, wayOn, ways } from '../redis-locks/ways.ts'

export interface KeysJob {
  readonly keys: number
  /** In memory, where there is none. */
  readonly redisUrl?: string
  /** Where it is not the kit. */
  readonly way?: WayName
}

const CALLERS = 100
/** At least, and until every key was locked once. */
const RUN_MS = 2_000
/** No lease is renewed meanwhile. */
const TTL_MS = 3_600_000
/** A heap of some gigabytes is not collected within the default. */
const COMMAND_MS = 60_000
/** Of fewer keys the memory is lost among everything else's. */
const WEIGHABLE = 10_000

async function figures({ keys, redisUrl, way: peer }: KeysJob): Promise<Record<string, number>> {
  const client = redisUrl === undefined ? undefined : new Redis(redisUrl)
  const store: LockStore =
    client === undefined ? memoryLockStore() : ioredisLockStore({ client, commandMs: COMMAND_MS })
  const way = peer === undefined || client === undefined ? wayOn(store) : ways[peer](client)
  const prefix = `growth:${randomUUID()}`
  const weigh = async () => {
    globalThis.gc?.()
    const { heapUsed, external } = process.memoryUsage()
    const server = Number(/^used_memory:(\d+)/m.exec((await client?.info('memory')) ?? '')?.[1])
    return { client: heapUsed + external, server }
  }
  // What is compiled, connected and pooled once is there by then.
  await inTurn(5_000, (index) => way.exclusive(`${prefix}:warm:${index}`, async () => {}))
  const before = await weigh()
  const startedAtMs = performance.now()
  const goOn = (done: number) => done < keys || performance.now() - startedAtMs < RUN_MS
  const sections = await inTurn(goOn, (index) => way.exclusive(`${prefix}:${index % keys}`, async () => {}))
  const perSecond = (sections / (performance.now() - startedAtMs)) * 1_000
  const perKey = (after: number, of: number) => (keys < WEIGHABLE ? Number.NaN : (after - of) / keys)
  const left = await weigh()
  const leftFigures = {
    clientLeft: perKey(left.client, before.client),
    serverLeft: perKey(left.server, before.server),
  }
  if (peer !== undefined || keys < WEIGHABLE) return { perSecond, ...leftFigures }
  const leases: { release(): Promise<void> }[] = []
  await inTurn(keys, async (index) => {
    leases.push(await acquireLock({ store, key: `${prefix}:${index}`, ttlMs: TTL_MS, waitMs: 60_000 }))
  })
  const held = await weigh()
  await inTurn(keys, (index) => leases[index]?.release())
  return {
    perSecond,
    ...leftFigures,
    clientHeld: perKey(held.client, left.client),
    serverHeld: perKey(held.server, left.server),
  }
}

/** `CALLERS` do the work for one index after the other; how many were done. */
async function inTurn(until: number | ((next: number) => boolean), work: (index: number) => unknown): Promise<number> {
  const goOn = typeof until === 'number' ? (next: number) => next < until : until
  let next = 0
  const caller = async () => {
    while (goOn(next)) {
      const index = next
      next += 1
      await work(index)
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
  return next
}

process.once('message', async (job: KeysJob) => {
  process.send?.(await figures(job), () => process.exit())
})
