import type { Knex } from 'knex'
import { describe, expect, test } from 'vitest'
import {
  type ContractRunner,
  idempotencyStoreContract,
  lockStoreContract,
  versionedStoreContract,
} from '../../src/entries/testing.ts'
import { outcomesOf } from '../support/outcomes.ts'
import { asAnotherProcess, asRowsOfAnotherProcess, LockStoreOfProcess } from '../support/processes.ts'
import { sqliteFile } from '../support/sqlite.ts'
import { leasedRecordTable, sabotagedLeasedRecordStore } from './sabotaged/leased-record.ts'
import { lockTable, sabotagedLockStore } from './sabotaged/lock.ts'
import { type Marks, markTable, recordTable, sabotagedRecordStore } from './sabotaged/record.ts'
import { rowTable, sabotagedVersionedStore } from './sabotaged/row.ts'

/** Where rivals are: in another store object, or behind the same one, which the sabotaged stores do exclude. */
type Rivals = 'elsewhere' | 'here'

/** The contract of a store that is right for the callers of its own object alone. */
const sabotaged: Readonly<Record<string, (runner: ContractRunner, rivals: Rivals) => void>> = {
  lock: (runner, rivals) =>
    lockStoreContract(
      runner,
      'sabotaged',
      async () => {
        const { knex, other, close } = await connect(lockTable)
        const store = sabotagedLockStore(knex)
        const here = () => new LockStoreOfProcess(store, async (command) => command())
        return { store, rival: rivals === 'here' ? here() : sabotagedLockStore(other), close }
      },
      { watch: false },
    ),
  record: (runner, rivals) =>
    idempotencyStoreContract<Marks>(
      runner,
      'sabotaged',
      async () => {
        const { knex, other, close } = await connect(recordTable, markTable)
        const store = sabotagedRecordStore(knex)
        const effects = {
          add: async (marks: Marks) => void marks.push('paid'),
          count: async () => (await knex('marks')).length,
        }
        return { store, rival: rivals === 'here' ? { ...store } : sabotagedRecordStore(other), effects, close }
      },
      { kind: 'transactional' },
    ),
  'leased record': (runner, rivals) =>
    idempotencyStoreContract(
      runner,
      'sabotaged',
      async () => {
        const { knex, other, close } = await connect(leasedRecordTable)
        const store = sabotagedLeasedRecordStore(knex)
        return { store, rival: rivals === 'here' ? asAnotherProcess(store) : sabotagedLeasedRecordStore(other), close }
      },
      { kind: 'leased' },
    ),
  row: (runner, rivals) =>
    versionedStoreContract(
      runner,
      'sabotaged',
      async () => {
        const { knex, other, close } = await connect(rowTable)
        const store = sabotagedVersionedStore(knex)
        let inserted = 0
        return {
          store,
          rival: rivals === 'here' ? asRowsOfAnotherProcess(store) : sabotagedVersionedStore(other),
          insert: async (count, id) => {
            inserted += 1
            const [row] = await knex('counters')
              .insert({ ...(id !== undefined && { id }), count, version: 1_000 * inserted })
              .returning('id')
            return row.id
          },
          delete: async (id) => void (await knex('counters').where({ id }).delete()),
          close,
        }
      },
      { updateLocked: false },
    ),
}

/** The tests that must fail. */
const seenBy: Readonly<Record<string, readonly string[]>> = {
  lock: [
    'through two store objects > of many concurrent attempts, at most one is granted',
    'by callers > sections through two store objects never overlap, and all of them run',
  ],
  record: [
    'through two store objects > a rival that does not wait is rejected during a run, and finds no record',
    'through two store objects > a waiting rival gets the result of the run in flight',
    'through two store objects > concurrent callers on two store objects run the handler once',
    'effects > transactional: of concurrent callers on two store objects only one has an effect',
  ],
  'leased record': [
    'verbs, through two store objects > leased: of many concurrent claims, one is granted',
    'verbs, through two store objects > leased: a claim whose owner vanished is taken over by one, and counted',
    'through two store objects > concurrent callers on two store objects run the handler once',
  ],
  row: [
    'through two store objects > of many concurrent writes on one version, one is stored',
    'through two store objects > no update is lost: 64 writers at once, the sum is exact',
  ],
}

describe.each(Object.entries(sabotaged))('a store that excludes no rivals: %s', (kind, contract) => {
  test('X5: the contract fails it', async () => {
    const { failed, passed } = await outcomesOf((runner) => contract(runner, 'elsewhere'))
    expect(failed).toEqual(expect.arrayContaining([...(seenBy[kind] as string[])]))
    // Within one object it is right.
    expect(failed.filter((name) => name.includes('one store object'))).toEqual([])
    expect(passed.filter((name) => name.includes('one store object'))).not.toEqual([])
  })

  test('the same store passes where its rivals are behind its own object: nothing else is wrong with it', async () => {
    const { failed } = await outcomesOf((runner) => contract(runner, 'here'))
    expect(failed).toEqual([])
  })
})

/** A database file, and the connections of two processes. */
async function connect(...tables: string[]): Promise<{ knex: Knex; other: Knex; close(): Promise<void> }> {
  const database = sqliteFile()
  const knex = database.connect()
  for (const table of tables) await knex.raw(table)
  return { knex, other: database.connect(), close: () => database.close() }
}
