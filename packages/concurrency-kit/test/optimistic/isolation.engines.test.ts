import { afterAll, beforeAll, beforeEach, expect } from 'vitest'
import { knexVersionedStore } from '../../src/entries/knex.ts'
import { pgVersionedStore } from '../../src/entries/pg.ts'
import { optimisticUpdate } from '../../src/optimistic/optimistic-update.ts'
import type { VersionedStore } from '../../src/optimistic/versioned-store.ts'
import { ISOLATION_LEVELS } from '../../src/sql/isolation-level.ts'
import { onPostgres } from '../support/engines.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'
import { deferred } from '../support/rival.ts'

const { describe, test } = onPostgres

interface Account {
  readonly id: number
  readonly balance: number
}

/** The caller's own transaction, at some level, and the rows through it. */
interface Begun {
  readonly accounts: VersionedStore<number, Account, unknown>
  query(sql: string): Promise<unknown>
  end(how: 'COMMIT' | 'ROLLBACK'): Promise<unknown>
}

type Begin = (level: string) => Promise<Begun>

const KINDS = [{ version: 'column' }, { version: 'xmin' }, { version: 'content' }] as const
const CLIENTS = ['knex', 'pg'] as const

const add =
  (by: number) =>
  (account: Account): Account => ({ ...account, balance: account.balance + by })

describe.each(CLIENTS.flatMap((client) => KINDS.map((kind) => ({ client, kind, version: kind.version }))))(
  'within a transaction on Postgres, $client, by $version',
  ({ client, kind }) => {
    const table = kind.version === 'column' ? 'accounts' : 'plain_accounts'
    let database: TestDatabase
    let begin: Begin
    beforeAll(async () => {
      database = await testDatabase()
      await database.sql.raw(`CREATE TABLE plain_accounts (id int PRIMARY KEY, balance int NOT NULL);
        DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = ''50ms''', current_database()); END $$`)
      begin = client === 'knex' ? throughKnex() : throughPg()
    })
    afterAll(() => database.close())
    beforeEach(() =>
      database.sql.raw(`TRUNCATE accounts, plain_accounts; INSERT INTO accounts VALUES (1, 0, 1), (2, 0, 1);
        INSERT INTO plain_accounts VALUES (1, 0), (2, 0)`),
    )

    const options = { table: 'accounts', ...(kind.version === 'column' ? {} : { table: 'plain_accounts', ...kind }) }

    function throughKnex(): Begin {
      const knex = database.knex()
      const store = knexVersionedStore<Account>({ knex, ...(options as { table: string }) })
      return async (level) => {
        const transaction = await knex.transaction(null as never, { isolationLevel: level as 'serializable' })
        transaction.executionPromise.catch(() => {})
        return {
          accounts: store.within(transaction),
          query: (sql) => transaction.raw(sql),
          end: (how) => (how === 'COMMIT' ? transaction.commit() : transaction.rollback()),
        }
      }
    }

    function throughPg(): Begin {
      const pool = database.pool()
      const store = pgVersionedStore<Account>({ pool, ...(options as { table: string }) })
      return async (level) => {
        const own = await pool.connect()
        await own.query(`BEGIN ISOLATION LEVEL ${level}`)
        const end = async (how: string) => {
          await own.query(how)
          own.release()
        }
        return { accounts: store.within(own), query: (sql) => own.query(sql), end }
      }
    }

    const rival = (change: string) => {
      const counted = kind.version === 'column' && change.startsWith('SET') ? ', version = version + 1' : ''
      const sql = change.startsWith('SET') ? `UPDATE ${table} ${change}${counted} WHERE id = 1` : change
      return database.sql.raw(sql)
    }
    const balances = async () => {
      const { rows } = await database.sql.raw(`SELECT balance FROM ${table} ORDER BY id`)
      return rows.map(({ balance }: Account) => balance)
    }

    test('read committed: what a rival wrote after the read is read again under the lock', async () => {
      const { accounts, end } = await begin('read committed')
      const attempts: number[] = []
      await optimisticUpdate({ store: accounts, id: 1 }, async (account, { attempt }) => {
        attempts.push(attempt)
        if (attempt === 1) await rival('SET balance = 100')
        return add(1)(account)
      })
      await end('COMMIT')
      expect([attempts, await balances()]).toEqual([
        [1, 2],
        [101, 0],
      ])
    })

    test.each(ISOLATION_LEVELS.slice(1))(
      'S7, S2: %s: a snapshot that is stale goes up at once, whether a rival wrote before the read or after it',
      async (level) => {
        for (const writesAfter of [true, false]) {
          const { accounts, query, end } = await begin(level)
          await query('SELECT 1 FROM effects')
          if (!writesAfter) await rival('SET balance = balance + 100')
          let ran = 0
          const call = optimisticUpdate({ store: accounts, id: 1 }, async (account) => {
            ran += 1
            if (writesAfter) await rival('SET balance = balance + 100')
            return add(1)(account)
          })
          await expect(call).rejects.toMatchObject({ transient: true, cause: { code: '40001' } })
          expect(ran).toBe(1)
          await end('ROLLBACK')
        }
        expect(await balances()).toEqual([200, 0])
      },
    )

    test.each(ISOLATION_LEVELS)(
      '%s: a deadlock goes up to the one who is chosen; the other gets through',
      async (level) => {
        const begun = [await begin(level), await begin(level)] as const
        const bothHold = deferred()
        let holding = 0
        const transfer = async ({ accounts, end }: Begun, ids: readonly number[]) => {
          try {
            for (const id of ids) {
              await optimisticUpdate({ store: accounts, id }, add(1))
              holding += 1
              if (holding === 2) bothHold.resolve()
              await bothHold.promise
            }
            await end('COMMIT')
          } catch (error) {
            await end('ROLLBACK')
            throw error
          }
        }
        const outcomes = await Promise.allSettled([transfer(begun[0], [1, 2]), transfer(begun[1], [2, 1])])
        const failed = outcomes.filter(({ status }) => status === 'rejected')
        expect(failed).toMatchObject([{ reason: { transient: true, cause: { code: '40P01' } } }])
        expect(await balances()).toEqual([1, 1])
      },
    )

    test.each(ISOLATION_LEVELS)(
      '%s: a row that goes after the read is said to have gone, or to be stale',
      async (level) => {
        const { accounts, end } = await begin(level)
        const call = optimisticUpdate({ store: accounts, id: 1 }, async (account) => {
          await rival(`DELETE FROM ${table} WHERE id = 1`)
          return add(1)(account)
        })
        const gone = { code: 'ROW_NOT_FOUND', expectedVersion: expect.anything() }
        await expect(call).rejects.toMatchObject(
          level === 'read committed' ? gone : { transient: true, cause: { code: '40001' } },
        )
        await end('ROLLBACK')
      },
    )

    test.each(ISOLATION_LEVELS)('%s: a row that comes into being is there for those who can see it', async (level) => {
      const { accounts, query, end } = await begin(level)
      await query('SELECT 1 FROM effects')
      await rival(`INSERT INTO ${table} VALUES (3, 7${kind.version === 'column' ? ', 1' : ''})`)
      const call = optimisticUpdate({ store: accounts, id: 3 }, add(1))
      if (level === 'read committed') expect((await call).balance).toBe(8)
      else await expect(call).rejects.toMatchObject({ code: 'ROW_NOT_FOUND', expectedVersion: undefined })
      await end('ROLLBACK')
    })

    test.each(ISOLATION_LEVELS)(
      'S8: %s: updates of one transaction at the same time lose none of them',
      async (level) => {
        const { accounts, end } = await begin(level)
        await optimisticUpdate({ store: accounts, id: 1 }, add(1))
        await Promise.all([1, 2, 3, 4].map(() => optimisticUpdate({ store: accounts, id: 1 }, add(1))))
        await end('COMMIT')
        expect(await balances()).toEqual([5, 0])
      },
    )
  },
)
