import { Redis } from 'ioredis'
import type { Knex } from 'knex'
import { knexOn } from '../support/postgres-knex.ts'
import { createLedger } from './ledger.ts'
import type { Points } from './points.ts'
import { PostgresFrames } from './postgres-frames.ts'
import { RedisFrames } from './redis-frames.ts'
import { Wire } from './wire.ts'

/** A database of its own, with an observer that nothing goes wrong with. */
export interface Postgres {
  readonly url: string
  readonly knex: Knex
  readonly used: { accounts: number }
  wire(points: Points): Promise<Wire>
  /** Resolves when no transaction is open any more; otherwise what is. */
  openTransactions(): Promise<readonly string[]>
  close(): Promise<void>
}

/** @param url - Of a fresh database. */
export async function observePostgres(url: string): Promise<Postgres> {
  const knex = knexOn(url, { max: 8 })
  await createLedger(knex)
  const port = Number(new URL(url).port)
  const open = async (): Promise<string[]> => {
    const { rows } = await knex.raw(
      "SELECT state || ': ' || query AS what FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND xact_start IS NOT NULL AND pid <> pg_backend_pid()",
    )
    return rows.map(({ what }: { what: string }) => what)
  }
  return {
    url,
    knex,
    used: { accounts: 0 },
    wire: (points) =>
      Wire.to({
        port,
        points,
        frames: () => new PostgresFrames(),
        terminate: async (pid, gone) => {
          const { rows } = await knex.raw('SELECT pg_terminate_backend(?, ?) AS done', [Number(pid), gone ? 2_000 : 0])
          return rows[0].done
        },
      }),
    async openTransactions() {
      const endMs = performance.now() + 5_000
      for (;;) {
        const found = await open()
        if (found.length === 0 || performance.now() > endMs) return found
      }
    },
    close: () => knex.destroy(),
  }
}

export interface RedisServer {
  readonly url: string
  wire(points: Points): Promise<Wire>
  close(): Promise<void>
}

export function observeRedis(url: string): RedisServer {
  const redis = new Redis(url)
  const port = Number(new URL(url).port)
  return {
    url,
    wire: (points) =>
      Wire.to({
        port,
        points,
        frames: () => new RedisFrames(),
        terminate: async (name) => {
          const clients = String(await redis.client('LIST')).split('\n')
          const id = /id=(\d+)/.exec(clients.find((client) => client.includes(` name=${name} `)) ?? '')?.[1]
          return id !== undefined && Number(await redis.call('CLIENT', 'KILL', 'ID', id)) === 1
        },
      }),
    close: async () => redis.disconnect(),
  }
}
