import type { Knex } from 'knex'
import type { Counter } from '../../../src/entries/testing.ts'
import type { VersionedStore } from '../../../src/index.ts'
import { turns } from './turns.ts'

export const rowTable = 'CREATE TABLE counters (id INTEGER PRIMARY KEY, count INTEGER, version INTEGER)'

/** Compares the version and then sets the row, in two statements, which only its own turns keep together. */
export function sabotagedVersionedStore(knex: Knex): VersionedStore<number, Counter> {
  const inTurn = turns()
  const find = async (id: number) => {
    const row = await knex('counters').where({ id }).first()
    return row && { value: { count: row.count as number }, version: row.version as number }
  }
  return {
    name: 'sabotaged',
    transactional: false,
    read: ({ id }) => find(id),
    compareAndSet: ({ id, expectedVersion, value }) =>
      inTurn(async () => {
        if ((await find(id))?.version !== expectedVersion) return { stored: false }
        const version = expectedVersion + 1
        await knex('counters').where({ id }).update({ count: value.count, version })
        return { stored: true, value, version }
      }),
  }
}
