import { expect, test } from 'vitest'
import {
  createTables,
  knexIdempotencyStore,
  knexLeasedIdempotencyStore,
  knexLockStore,
  knexVersionedStore,
} from '../src/entries/knex.ts'
import { memoryIdempotencyStore, memoryLockStore, memoryVersionedStore, withIdempotency } from '../src/index.ts'
import { keptOn, proveNothingKept } from './signals.ts'
import { deferred } from './support/rival.ts'
import { sqliteFile } from './support/sqlite.ts'

test('X2: nothing is kept on the caller’s signal after a call, in memory', () =>
  proveNothingKept({
    locks: memoryLockStore(),
    leased: memoryIdempotencyStore(),
    rows: memoryVersionedStore({ rows: [[1, { n: 0 }]] }),
  }))

test('X2: nothing is kept on the caller’s signal after a call, on SQLite', async () => {
  const database = sqliteFile()
  const [knex, leases] = [database.connect(), database.connect()]
  await createTables(knex, { locks: true, idempotency: true, leasedIdempotency: true })
  await knex.raw('CREATE TABLE counters (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, version INTEGER NOT NULL)')
  await knex.raw('INSERT INTO counters VALUES (1, 0, 1)')
  await proveNothingKept({
    locks: knexLockStore({ knex: leases }),
    transactional: knexIdempotencyStore({ knex }),
    leased: knexLeasedIdempotencyStore({ knex: leases }),
    rows: knexVersionedStore<{ n: number }>({ knex, table: 'counters' }),
  })
  await database.close()
})

test('X2: a leased handler’s signal still aborts with the caller’s, and for its reason', async () => {
  const [begun, abort] = [deferred<AbortSignal>(), new AbortController()]
  const store = memoryIdempotencyStore()
  const call = withIdempotency(
    { store, key: 'k', onAmbiguous: 'rerun', signal: abort.signal },
    ({ signal }) =>
      new Promise<string>((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason))
        begun.resolve(signal as AbortSignal)
      }),
  )
  const signal = await begun.promise
  expect(keptOn(abort.signal)).toBe(1)
  abort.abort('the client left')
  await expect(call).rejects.toBe('the client left')
  expect([signal.aborted, signal.reason, keptOn(abort.signal)]).toEqual([true, 'the client left', 0])
})
