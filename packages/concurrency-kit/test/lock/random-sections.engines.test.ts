import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import pg from 'pg'
import { expect } from 'vitest'
import { ioredisLockStore } from '../../src/entries/ioredis.ts'
import { createTables, knexLockStore } from '../../src/entries/knex.ts'
import { pgAdvisoryLockStore } from '../../src/entries/pg.ts'
import type { LockStore } from '../../src/lock/lock-store.ts'
import { onPostgres, onRedis, postgresDatabase, sharedRedis } from '../support/engines.ts'
import { FaultyLine } from '../support/faulty-line.ts'
import { knexOn } from '../support/postgres-knex.ts'
import { runRandomSections } from '../support/random-sections.ts'
import { seeded } from '../support/seeded.ts'

const SEEDS = [11, 12, 13]

interface Process {
  readonly store: LockStore
  /** Ends the client, after the store. */
  close(): Promise<unknown> | unknown
}

/** Three processes, each over a line with a delay of its own, and then nothing of them is left. */
async function prove(seed: number, serverPort: number, open: (port: number) => Promise<Process>, left: Left) {
  const before = openSockets()
  const random = seeded(seed)
  const lines = await Promise.all([1, 2, 3].map(() => FaultyLine.to(serverPort)))
  for (const line of lines) line.delay(Math.floor(random() * 4))
  const processes = await Promise.all(lines.map(({ port }) => open(port)))
  const keys = [`random:${randomUUID()}`, `random:${randomUUID()}`]
  const stores = processes.map(({ store }) => store)
  await runRandomSections(stores, { keys, random, sections: 60 })
  for (const store of stores) await store.close()
  await expect.poll(() => left(keys)).toEqual([])
  for (const { close } of processes) await close()
  for (const line of lines) await line.close()
  await expect.poll(openSockets).toBe(before)
}

type Left = (keys: readonly string[]) => Promise<readonly unknown[]>

function openSockets(): number {
  return process.getActiveResourcesInfo().filter((resource) => resource.startsWith('TCP')).length
}

onRedis.describe('random sections on Redis', () => {
  for (const seed of SEEDS) {
    onRedis.test(`L15, L21: exclusion, order, tokens, everybody’s turn, and nothing left; seed ${seed}`, async () => {
      const admin = new Redis(sharedRedis())
      await admin.ping()
      const open = async (port: number) => {
        const client = new Redis({ port, maxRetriesPerRequest: 1 })
        return { store: ioredisLockStore({ client }), close: () => client.disconnect() }
      }
      await prove(seed, Number(new URL(sharedRedis()).port), open, async (keys) => {
        const all = await admin.keys('*')
        return all.filter((key) => keys.some((own) => key.includes(own)))
      })
      admin.disconnect()
    })
  }
})

onPostgres.describe('random sections on Postgres', () => {
  const stores = {
    'lease table': async (url: string): Promise<Process> => {
      const knex = knexOn(url)
      const listener = new pg.Client(url)
      await listener.connect()
      const close = () => Promise.all([knex.destroy(), listener.end()])
      return { store: knexLockStore({ knex, listener }), close }
    },
    'advisory locks': async (url: string): Promise<Process> => {
      const pool = new pg.Pool({ connectionString: url, max: 2 })
      return { store: pgAdvisoryLockStore({ pool }), close: () => pool.end() }
    },
  }
  for (const [name, connect] of Object.entries(stores)) {
    for (const seed of SEEDS) {
      onPostgres.test(
        `L15, L21: ${name}: exclusion, order, everybody’s turn, and nothing left; seed ${seed}`,
        async () => {
          const { url, drop } = await postgresDatabase()
          const admin = knexOn(url, { max: 1 })
          await createTables(admin, { locks: true })
          const open = (port: number) => {
            const through = new URL(url)
            through.port = String(port)
            return connect(through.href)
          }
          await prove(seed, Number(new URL(url).port), open, async () => {
            const leases = await admin.raw('SELECT key FROM locks')
            const advisory = await admin.raw(
              `SELECT objid FROM pg_locks JOIN pg_database ON pg_database.oid = database
             WHERE locktype = 'advisory' AND datname = current_database()`,
            )
            return [...leases.rows, ...advisory.rows]
          })
          await admin.destroy()
          await drop()
        },
      )
    }
  }
})
