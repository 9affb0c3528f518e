import { Redis } from 'ioredis'
import pg from 'pg'
import { ioredisLockStore } from '../../src/entries/ioredis.ts'
import { knexLockStore } from '../../src/entries/knex.ts'
import type { LockStore } from '../../src/lock/lock-store.ts'
import { knexOn } from './postgres-knex.ts'
import { connectTo } from './sqlite.ts'

export interface LockProcess {
  readonly store: LockStore<true>
  /** The store, and then its clients. */
  close(): Promise<void>
}

/** A lock store with clients of its own, as each process has it: on the server, or in the file, at `where`. */
export const lockProcesses = {
  redis: async (where: string): Promise<LockProcess> => {
    const client = new Redis(where)
    return closing(ioredisLockStore({ client }), () => client.disconnect())
  },
  postgres: async (where: string): Promise<LockProcess> => {
    const knex = knexOn(where, { max: 2 })
    const listener = new pg.Client(where)
    listener.on('error', () => {})
    await listener.connect()
    return closing(knexLockStore({ knex, listener }), () => Promise.all([knex.destroy(), listener.end()]))
  },
  'postgres without a listener': async (where: string): Promise<LockProcess> => {
    const knex = knexOn(where, { max: 2 })
    return closing(knexLockStore({ knex }), () => knex.destroy())
  },
  sqlite: async (where: string): Promise<LockProcess> => {
    const knex = connectTo(where)
    return closing(knexLockStore({ knex }), () => knex.destroy())
  },
}

export type LockProcessKind = keyof typeof lockProcesses

function closing(store: LockStore<true>, closeClients: () => unknown): LockProcess {
  return {
    store,
    close: async () => {
      await store.close()
      await closeClients()
    },
  }
}
