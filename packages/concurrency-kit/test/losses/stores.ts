import { Redis } from 'ioredis'
import { ioredisLockStore } from '../../src/entries/ioredis.ts'
import { createTables, knexLockStore } from '../../src/entries/knex.ts'
import type { LockStore } from '../../src/lock/lock-store.ts'
import type { Environment } from '../../src/time/clock.ts'
import { knexOn } from '../support/postgres-knex.ts'
import { connectTo } from '../support/sqlite.ts'
import type { Role } from './role.ts'

type Where = Pick<Role, 'store' | 'where'>

export async function openStore({ store: name, where }: Where, environment: Environment) {
  if (name === 'ioredis') {
    const client = new Redis(where, { maxRetriesPerRequest: 1 })
    const store: LockStore<true> = ioredisLockStore({ client, environment })
    return { store }
  }
  const knex = name === 'knex on SQLite' ? connectTo(where) : knexOn(where, { max: 2 })
  return { store: knexLockStore({ knex, environment }) }
}

export async function makeTables({ store, where }: Where): Promise<void> {
  if (store === 'ioredis') return
  const knex = store === 'knex on SQLite' ? connectTo(where) : knexOn(where)
  await createTables(knex, { locks: true })
  await knex.destroy()
}
