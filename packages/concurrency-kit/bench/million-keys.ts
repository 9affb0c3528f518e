/**
 * What many distinct keys in a row leave behind, on client and server:
 * `npx -y pnpm@10 -F concurrency-kit million-keys [count]`, on memory, Redis and a tenth as many on Postgres.
 */
import { Redis } from 'ioredis'
import { ioredisLockStore } from '../src/entries/ioredis.ts'
import { createTables, knexLockStore } from '../src/entries/knex.ts'
import { type LockStore, memoryLockStore, withDistributedLock } from '../src/index.ts'
import { startPostgres, startRedis } from '../test/support/containers.ts'
import { knexOn } from '../test/support/postgres-knex.ts'

const CALLERS = 100
const count = Number(process.argv[2] ?? 1_000_000)

/** Each key is locked once, and never again. */
async function inARow(store: LockStore, keys: number, from = 0): Promise<void> {
  let next = from
  const caller = async () => {
    while (next < from + keys) {
      const key = `order:${next}`
      next += 1
      await withDistributedLock({ store, key }, () => {})
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
}

async function report(name: string, store: LockStore, keys: number, server: () => Promise<string>): Promise<void> {
  const look = async () => {
    const onServer = await server()
    globalThis.gc?.()
    const { heapUsed, rss } = process.memoryUsage()
    const megabytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MB`
    const handles = process.getActiveResourcesInfo().length
    return `heap ${megabytes(heapUsed).padStart(8)}  rss ${megabytes(rss).padStart(9)}  handles ${handles}  ${onServer}`
  }
  // What is compiled, connected and pooled once is there by then.
  await inARow(store, Math.min(keys, 20_000))
  console.log(`\n${name}\n  before            ${await look()}`)
  for (let tenth = 0; tenth < 10; tenth += 3) {
    const from = 20_000 + (tenth * keys) / 10
    const size = Math.min(3, 10 - tenth) * (keys / 10)
    await inARow(store, size, from)
    console.log(`  ${String(from - 20_000 + size).padStart(9)} keys    ${await look()}`)
  }
}

await report('memory', memoryLockStore(), count, async () => '')

const redis = await startRedis()
const client = new Redis({ port: redis.ports[0] as number })
const onRedis = ioredisLockStore({ client })
await report('Redis', onRedis, count, async () => {
  const used = /^used_memory:(\d+)/m.exec(await client.info('memory'))?.[1]
  return `server ${(Number(used) / 2 ** 20).toFixed(2)} MB, ${await client.dbsize()} keys`
})
await onRedis.close()
client.disconnect()
await redis.stop()

const postgres = await startPostgres()
const knex = knexOn(postgres.url, { max: 5 })
await createTables(knex, { locks: true })
const onPostgres = knexLockStore({ knex })
await report('Postgres, lease table', onPostgres, Math.ceil(count / 10), async () => {
  const { rows } = await knex.raw("SELECT count(*) AS n, pg_total_relation_size('locks') AS bytes FROM locks")
  return `server ${(Number(rows[0].bytes) / 2 ** 20).toFixed(2)} MB of table, ${rows[0].n} rows`
})
await onPostgres.close()
await knex.destroy()
await postgres.stop()
