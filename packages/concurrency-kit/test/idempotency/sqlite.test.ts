import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import type { Knex } from 'knex'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  createTables,
  knexIdempotencyStore,
  knexLeasedIdempotencyStore,
  knexLockStore,
  knexVersionedStore,
} from '../../src/entries/knex.ts'
import { events } from '../../src/events.ts'
import { findReplay } from '../../src/idempotency/find-replay.ts'
import { withIdempotency } from '../../src/idempotency/with-idempotency.ts'
import { optimisticUpdate } from '../../src/optimistic/optimistic-update.ts'
import { spawn } from '../support/children.ts'
import { sqliteFile } from '../support/sqlite.ts'
import { VirtualTime } from '../support/virtual-time.ts'

let database: ReturnType<typeof sqliteFile>
let knex: Knex

beforeEach(async () => {
  database = sqliteFile()
  knex = database.connect()
  await createTables(knex, { idempotency: true })
  await knex.raw('CREATE TABLE effects (id INTEGER PRIMARY KEY, note TEXT NOT NULL)')
})
afterEach(() => database.close())

const effects = async () => (await knex.raw('SELECT count(*) AS n FROM effects'))[0].n

describe('one file, one writer', () => {
  test('S5: the write lock is taken by the first statement, before anything is read', async () => {
    const store = knexIdempotencyStore({ knex })
    const rival = database.connect()
    const statements: string[] = []
    knex.on('query', ({ sql }: { sql: string }) => statements.push(sql.trim().split(/[\s;]/)[0] as string))
    await withIdempotency({ store, key: 'a' }, async ({ transaction }) => {
      await expect(rival.raw('BEGIN IMMEDIATE')).rejects.toMatchObject({ code: 'SQLITE_BUSY' })
      await transaction.raw('SELECT count(*) FROM effects')
      await transaction.raw("INSERT INTO effects (note) VALUES ('late writer')")
    })
    expect(statements).toEqual(['INSERT', 'BEGIN', 'SELECT', 'INSERT', 'UPDATE', 'COMMIT'])
  })

  test('I1: a thousand callers of one key issue one transaction', async () => {
    const store = knexIdempotencyStore({ knex })
    const statements: string[] = []
    knex.on('query', ({ sql }: { sql: string }) => statements.push(sql.trim().split(/[\s;]/)[0] as string))
    const call = () => withIdempotency({ store, key: 'a' }, ({ attempt }) => `attempt ${attempt}`)
    const answers = await Promise.all(Array.from({ length: 1_000 }, call))
    expect(new Set(answers)).toEqual(new Set(['attempt 1']))
    expect(statements).toEqual(['INSERT', 'BEGIN', 'UPDATE', 'COMMIT'])
  })

  test('G13: nothing stays prepared for a savepoint, whose name comes once', async () => {
    const connection = await knex.client.acquireConnection()
    knex.client.releaseConnection(connection)
    const prepared = new Set<string>()
    const { prepare } = connection
    connection.prepare = (sql: string) => {
      prepared.add(sql)
      return Reflect.apply(prepare, connection, [sql])
    }
    const finalErrors = { encode: String, decode: (text: string) => new Error(text) }
    const call = (key: string) =>
      withIdempotency({ store: knexIdempotencyStore({ knex }), key, finalErrors }, () => Promise.reject('declined'))
    await expect(call('first')).rejects.toThrow('declined')
    const { size } = prepared
    for (let index = 0; index < 20; index += 1) await expect(call(`${index}`)).rejects.toThrow('declined')
    expect(prepared.size).toBe(size)
  })

  test('G9: rows that a handler has not read to their end do not keep the transaction open for good', async () => {
    const store = knexIdempotencyStore({ knex })
    const halfRead = async (transaction: Knex.Transaction) => {
      await transaction.raw("INSERT INTO effects (note) VALUES ('kept')")
      const connection = await transaction.client.acquireConnection()
      connection.prepare('SELECT 1 UNION SELECT 2').iterate().next()
      return 'done'
    }
    expect(await withIdempotency({ store, key: 'a' }, ({ transaction }) => halfRead(transaction))).toBe('done')
    const fails = ({ transaction }: { readonly transaction: Knex.Transaction }) =>
      halfRead(transaction).then(() => Promise.reject(new Error('declined')))
    await expect(withIdempotency({ store, key: 'b' }, fails)).rejects.toThrow('declined')
    expect(await database.connect().raw('SELECT note FROM effects')).toEqual([{ note: 'kept' }])
    expect(await withIdempotency({ store, key: 'c', waitMs: 0 }, () => 'next')).toBe('next')
  })

  test('S6: a pool of one connection is enough, and nothing waits for a second', async () => {
    await knex.raw('CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER, version INTEGER)')
    await knex.raw('INSERT INTO accounts VALUES (1, 0, 1)')
    const store = knexIdempotencyStore({ knex })
    const accounts = knexVersionedStore<{ id: number; balance: number }>({ knex, table: 'accounts' })
    const charge = (key: string) =>
      withIdempotency({ store, key }, ({ transaction }) =>
        optimisticUpdate({ store: accounts.within(transaction), id: 1 }, (row) => ({
          ...row,
          balance: row.balance + 1,
        })),
      )
    const startedMs = performance.now()
    await Promise.all(Array.from({ length: 50 }, (_, n) => charge(`key-${n}`)))
    expect(await accounts.read({ id: 1, lock: false })).toMatchObject({ value: { balance: 50 } })
    // Knex gives up on a connection after a minute.
    expect(performance.now() - startedMs).toBeLessThan(20_000)
  })

  test('S10: a file that is busy is waited for with the event loop running, and without a connection', async () => {
    const store = knexIdempotencyStore({ knex })
    const rival = database.connect()
    await rival.raw('BEGIN IMMEDIATE')
    let ran = 0
    const waits: unknown[] = []
    const listener = (message: { cause: unknown }) => waits.push(message)
    events.idempotency.busy.subscribe(listener)
    const call = withIdempotency({ store, key: 'a' }, () => ++ran)
    // Only because the event loop goes on can the rival, which is in this process, commit; and the pool's one connection is free.
    for (let turn = 0; turn < 5; turn += 1) expect((await knex.raw('SELECT 1 AS one'))[0].one).toBe(1)
    expect(ran).toBe(0)
    await rival.raw('COMMIT')
    expect([await call, ran]).toEqual([1, 1])
    events.idempotency.busy.unsubscribe(listener)
    expect(waits[0]).toMatchObject({ store: 'knex', key: 'a', cause: { code: 'SQLITE_BUSY' } })
  })

  test('S10: a file that stays busy ends in a StoreError that says so, after waitMs; nothing ran', async () => {
    const store = knexIdempotencyStore({ knex })
    await database.connect().raw('BEGIN IMMEDIATE')
    const call = withIdempotency({ store, key: 'a', waitMs: 50 }, () => expect.unreachable())
    await expect(call).rejects.toMatchObject({
      code: 'STORE_ERROR',
      transient: true,
      message: expect.stringContaining('50 ms'),
    })
  })

  test('S10: leases on the pool of transactional records are refused, and the other way round', () => {
    knexIdempotencyStore({ knex })
    expect(() => knexLockStore({ knex })).toThrow(/must not share one SQLite pool/)
    expect(() => knexLeasedIdempotencyStore({ knex })).toThrow(/must not share one SQLite pool/)
    const leases = database.connect()
    knexLockStore({ knex: leases })
    expect(() => knexIdempotencyStore({ knex: leases })).toThrow(/must not share one SQLite pool/)
  })
})

describe('what is in the table', () => {
  test('S12: the very text of the result, and date-times that people and databases can read', async () => {
    const store = knexIdempotencyStore({ knex })
    await withIdempotency({ store, key: 'a' }, () => ({ b: 1.5, a: ['가', 1e21] }))
    const [row] = await knex.raw('SELECT *, typeof(result) AS kind FROM idempotency_records')
    expect(row).toMatchObject({ kind: 'text', result: '{"b":1.5,"a":["가",1e+21]}', status: 'completed', scope: '' })
    for (const at of [row.created_at, row.expires_at]) expect(at).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}$/)
  })

  test('S13: keys that two different strings could share are refused, by name', async () => {
    const store = knexIdempotencyStore({ knex })
    for (const key of ['\ud800', 'a\udfff', 'nul\0']) {
      await expect(withIdempotency({ store, key }, () => 1)).rejects.toThrow(RangeError)
      await expect(findReplay({ store, key: 'a', scope: key })).rejects.toThrow(/^scope must not contain/)
    }
  })

  test('I8: a record expires by the database’s clock; the application’s may be an hour off', async () => {
    for (const hours of [-1, 1]) {
      const environment = new VirtualTime()
      environment.stepWall(Date.now() - environment.wallMs() + hours * 3_600_000)
      const store = knexIdempotencyStore({ knex: database.connect(), environment })
      const call = (result: number) =>
        withIdempotency({ store, key: `off by ${hours}`, retentionMs: 1_800_000 }, () => result)
      expect([await call(1), await call(2)]).toEqual([1, 1])
      await knex.raw(
        "UPDATE idempotency_records SET expires_at = strftime('%Y-%m-%d %H:%M:%f', 'now', '-0.001 seconds')",
      )
      expect(await findReplay({ store, key: `off by ${hours}` })).toEqual({ found: false })
      expect(await call(3)).toBe(3)
    }
  })
})

describe('a leased claim', () => {
  test('S10: waits for a busy file with the event loop running', async () => {
    const file = sqliteFile()
    const [leases, rival] = [file.connect(), file.connect()]
    await createTables(leases, { leasedIdempotency: true })
    await rival.raw('BEGIN IMMEDIATE')
    const store = knexLeasedIdempotencyStore({ knex: leases })
    const call = withIdempotency({ store, key: 'k', onAmbiguous: 'refuse' }, () => 'done')
    for (let turn = 0; turn < 3; turn += 1) expect((await leases.raw('SELECT 1 AS one'))[0].one).toBe(1)
    await rival.raw('COMMIT')
    expect(await call).toBe('done')
    await file.close()
  })

  test('whose owner’s lease ends while it is being looked at is taken over all the same, not called vanished', async () => {
    const file = sqliteFile()
    const leases = file.connect()
    await createTables(leases, { leasedIdempotency: true })
    const claim = (owner: string, takeOver: boolean) =>
      ({
        scope: '',
        key: 'k',
        owner,
        fingerprint: 'f',
        payload: null,
        leaseMs: 60,
        retentionMs: 60_000,
        takeOver,
      }) as const
    // The claim is refused at once, and every look at the record comes when its lease is over.
    let statements = 0
    const client = Object.create(leases.client, {
      acquireConnection: {
        async value() {
          statements += 1
          if (statements > 1) await setTimeout(100)
          return leases.client.acquireConnection()
        },
      },
    })
    const raw = (sql: string, bindings: readonly unknown[]) => leases.raw(sql, bindings as never)
    const slow = { client, raw, transactionProvider: () => leases.transactionProvider() }
    const owner = knexLeasedIdempotencyStore({ knex: leases })
    const successor = knexLeasedIdempotencyStore({ knex: slow })
    await owner.claim(claim('a', true))
    expect(await successor.claim(claim('b', true))).toEqual({ status: 'claimed', attempt: 2 })
    expect(await successor.claim(claim('c', false))).toEqual({ status: 'vanished', fingerprint: 'f' })
    await file.close()
  })
})

describe('several processes', () => {
  const child = (key: string, takesMs: number): ChildProcess =>
    spawn(process.execPath, [path.join(import.meta.dirname, 'child.ts'), database.file, key, String(takesMs)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })

  test('I1: one key in four processes at once: one effect, one answer', async () => {
    const outputs = await Promise.all(
      Array.from({ length: 4 }, () => text(child('a', 50).stdout as NodeJS.ReadableStream)),
    )
    expect(await effects()).toBe(1)
    expect(new Set(outputs.map((output) => /result (\d+)/.exec(output)?.[1])).size).toBe(1)
    expect(outputs.filter((output) => output.includes('running'))).toHaveLength(1)
  })

  test('I11, C9: a process that is killed while its handler runs leaves nothing: the next call runs at once', async () => {
    const killed = child('a', 60_000)
    await once(killed.stdout as NodeJS.ReadableStream, 'data')
    killed.kill('SIGKILL')
    expect(await once(killed, 'exit')).toEqual([null, 'SIGKILL'])
    expect(await withIdempotency({ store: knexIdempotencyStore({ knex }), key: 'a' }, () => 'retried')).toBe('retried')
    expect(await effects()).toBe(0)
  })
})
