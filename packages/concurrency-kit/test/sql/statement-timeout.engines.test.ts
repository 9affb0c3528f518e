import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect } from 'vitest'
import { withIdempotency } from '../../src/idempotency/with-idempotency.ts'
import { onPostgres } from '../support/engines.ts'
import { type TestDatabase, testDatabase } from '../support/postgres.ts'
import { clients, type Process } from '../support/postgres-clients.ts'
import { deferred } from '../support/rival.ts'

const { describe, test } = onPostgres

const SET_BY: Readonly<Record<string, (database: TestDatabase, role: string) => Promise<string>>> = {
  'the role': async ({ sql, url }, role) => {
    await sql.raw(`ALTER ROLE ${role} SET statement_timeout = '300ms'`)
    const impatient = new URL(url)
    impatient.username = role
    return impatient.href
  },
  'the options of the connection': async ({ url }) => withParameter(url, 'options', '-c statement_timeout=300'),
  'the configuration of the pool': async ({ url }) => withParameter(url, 'statement_timeout', '300'),
}

function withParameter(url: string, name: string, value: string): string {
  const changed = new URL(url)
  changed.searchParams.set(name, value)
  return changed.href
}

describe.each(clients)('a statement_timeout shorter than waitMs, on Postgres through %s', (_name, open) => {
  const role = `impatient_${randomUUID().replaceAll('-', '')}`
  let database: TestDatabase
  beforeAll(async () => {
    database = await testDatabase()
    await database.sql.raw(`CREATE ROLE ${role} LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO ${role};
      GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO ${role}`)
  })
  afterAll(async () => {
    await database.sql.raw(`DROP OWNED BY ${role}; DROP ROLE ${role}`)
    await database.close()
  })

  /** Another process, which has the key until it is let go. */
  async function holding(key: string) {
    const running = deferred()
    const done = deferred()
    const { store } = open(database)
    const held = withIdempotency({ store, key }, async () => {
      running.resolve()
      await done.promise
      return 'by the first'
    })
    await running.promise
    return { held, letGo: () => done.resolve() }
  }

  const setting = async (process: Process<unknown>, transaction: unknown) =>
    String((await process.query(transaction, 'SHOW statement_timeout'))[0]?.['statement_timeout'])

  for (const [by, urlOf] of Object.entries(SET_BY)) {
    test(`G10: set by ${by}: a second caller waits up to waitMs all the same, and replays`, async () => {
      const key = `replays: ${by}`
      const impatient = open(database, { url: await urlOf(database, role) })
      const { held, letGo } = await holding(key)
      let answer: unknown
      const call = withIdempotency({ store: impatient.store, key }, () => expect.unreachable())
      const answered = call
        .catch((error: unknown) => error)
        .then((settled) => {
          answer = settled
        })
      const waiting = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database()
        AND wait_event_type = 'Lock' AND clock_timestamp() - query_start > interval '700 ms'`
      const waitsLong = async () => answer !== undefined || (await database.sql.raw(waiting)).rows[0].n === 1
      await expect.poll(waitsLong, { timeout: 5_000 }).toBe(true).finally(letGo)
      await answered
      expect([await held, answer]).toEqual(['by the first', 'by the first'])
    })

    test(`G10: set by ${by}: waitMs ends the wait, and says that the key is in progress`, async () => {
      const key = `in progress: ${by}`
      const impatient = open(database, { url: await urlOf(database, role) })
      const { held, letGo } = await holding(key)
      const startedMs = performance.now()
      const call = withIdempotency({ store: impatient.store, key, waitMs: 700 }, () => expect.unreachable())
      const error = await call.catch((caught: unknown) => caught)
      const tookMs = performance.now() - startedMs
      letGo()
      await held
      expect(error).toMatchObject({ code: 'IDEMPOTENCY_IN_PROGRESS' })
      expect(tookMs).toBeGreaterThanOrEqual(700)
    })

    test(`G10: set by ${by}: it bounds the handler’s own statements as before, and the session’s`, async () => {
      const impatient = open(database, { url: await urlOf(database, role), max: 1 })
      const keys = ['a', 'b', 'c', 'd']
      const seen = await Promise.all(
        keys.map((key) =>
          withIdempotency({ store: impatient.store, key: `own ${key}: ${by}` }, ({ transaction }) =>
            setting(impatient, transaction),
          ),
        ),
      )
      expect(seen).toEqual(keys.map(() => '300ms'))
      const slow = withIdempotency({ store: impatient.store, key: `slow: ${by}` }, async ({ transaction }) => {
        await impatient.query(transaction, 'SELECT pg_sleep(5)')
      })
      await expect(slow).rejects.toMatchObject({ code: '57014' })
      expect(await impatient.ask('SHOW statement_timeout')).toEqual([{ statement_timeout: '300ms' }])
    })
  }
})
