import { randomUUID } from 'node:crypto'
import createKnex from 'knex'
import pg from 'pg'
import { knexIdempotencyStore, knexVersionedStore } from '../../src/entries/knex.ts'
import { pgIdempotencyStore, pgVersionedStore } from '../../src/entries/pg.ts'
import { optimisticUpdate, type TransactionalIdempotencyStore, withIdempotency } from '../../src/index.ts'
import type { TransactableVersionedStore } from '../../src/optimistic/versioned-store.ts'
import { noteWhatIsSent, type Sent } from '../../test/support/round-trips.ts'

/** One way to charge a user once for a key, in one transaction on Postgres. */
export interface Way {
  readonly name: string
  /** What its connections have sent. */
  readonly sent: Sent
  charge(userId: number, amount: number): Promise<unknown>
  close(): Promise<unknown>
}

type Account = { readonly id: number; readonly balance: number }

const MAX = 10

function poolOf(url: string, pipeline: boolean): { pool: pg.Pool; sent: Sent } {
  const sent: Sent = { roundTrips: 0, texts: [] }
  const pool = new pg.Pool({ connectionString: url, max: MAX, pipeline } as pg.PoolConfig)
  pool.on('error', () => {})
  pool.on('connect', (client) => noteWhatIsSent(client, sent))
  return { pool, sent }
}

const statements = {
  insert: `INSERT INTO idempotency_records (scope, idempotency_key, fingerprint, status, created_at, expires_at)
    VALUES ('', $1, '', 'in_progress', clock_timestamp(), clock_timestamp() + interval '1 day')
    ON CONFLICT DO NOTHING RETURNING 1`,
  credit: 'UPDATE accounts SET balance = balance + $1, version = version + 1 WHERE id = $2 RETURNING balance',
  complete: `UPDATE idempotency_records SET status = 'completed', outcome = 'result', result = $2
    WHERE scope = '' AND idempotency_key = $1`,
} as const

/** As a careful engineer writes it: prepared statements, and no more of them than it takes. */
export function byHand(url: string): Way {
  const { pool, sent } = poolOf(url, false)
  return {
    name: 'written by hand, pg',
    sent,
    charge: async (userId, amount) => {
      const key = randomUUID()
      const client = await pool.connect()
      const run = (name: keyof typeof statements, values: unknown[]) =>
        client.query({ name, text: statements[name], values })
      try {
        await client.query('BEGIN')
        if ((await run('insert', [key])).rowCount === 0) throw new Error(`${key} is taken`)
        const { rows } = await run('credit', [amount, userId])
        const answer = { id: userId, balance: Number(rows[0].balance) }
        await run('complete', [key, JSON.stringify(answer)])
        await client.query('COMMIT')
        client.release()
        return answer
      } catch (error) {
        client.release(true)
        throw error
      }
    },
    close: () => pool.end(),
  }
}

function composed<Transaction>(
  store: TransactionalIdempotencyStore<Transaction>,
  accounts: TransactableVersionedStore<number, Account, number, Transaction>,
): Way['charge'] {
  return (id, amount) =>
    withIdempotency({ store, key: randomUUID() }, ({ transaction }) =>
      optimisticUpdate({ store: accounts.within(transaction), id }, (account) => ({
        ...account,
        balance: account.balance + amount,
      })),
    )
}

export function kitOnPg(name: string, url: string, options: { pipeline: boolean; groupCommit: boolean }): Way {
  const { pool, sent } = poolOf(url, options.pipeline)
  const store = pgIdempotencyStore({ pool, groupCommit: options.groupCommit })
  const accounts = pgVersionedStore<Account>({ pool, table: 'accounts' })
  return {
    name,
    sent,
    charge: composed(store, accounts),
    close: () => pool.end(),
  }
}

export function kitOnKnex(url: string): Way {
  const sent: Sent = { roundTrips: 0, texts: [] }
  const afterCreate = (client: pg.Client, done: (error: null, client: pg.Client) => void) => {
    noteWhatIsSent(client, sent)
    done(null, client)
  }
  const knex = createKnex({ client: 'pg', connection: url, pool: { min: 0, max: MAX, afterCreate } })
  const store = knexIdempotencyStore({ knex })
  const accounts = knexVersionedStore<Account>({ knex, table: 'accounts' })
  return {
    name: 'the kit, Knex',
    sent,
    charge: composed(store, accounts),
    close: () => knex.destroy(),
  }
}
