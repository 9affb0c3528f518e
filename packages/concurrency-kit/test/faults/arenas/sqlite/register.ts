import type { Knex } from 'knex'
import { knexVersionedStore } from '../../../../src/entries/knex.ts'
import type { Register } from '../../register.ts'

interface Row {
  readonly count: number
  /** In decimal: a driver reads integers past 2^53 inexactly. */
  readonly token: string
}

export async function createRegisters(knex: Knex): Promise<void> {
  await knex.raw(
    'CREATE TABLE registers (id TEXT PRIMARY KEY, count INTEGER NOT NULL, token TEXT NOT NULL, version INTEGER NOT NULL)',
  )
}

/** A row of a file that processes share, written by its version. */
export class FileRegister implements Register {
  readonly #rows
  readonly #id: string

  constructor(knex: Knex, id: string) {
    this.#rows = knexVersionedStore<Row, string>({ knex, table: 'registers' })
    this.#id = id
  }

  static async create(knex: Knex, id: string): Promise<FileRegister> {
    await knex.raw("INSERT INTO registers VALUES (?, 0, '-1', 1)", [id])
    return new FileRegister(knex, id)
  }

  async read(): Promise<number> {
    return (await this.#row()).value.count
  }

  async write(expected: number, token: bigint): Promise<boolean> {
    const { value, version } = await this.#row()
    if (value.count !== expected || token < BigInt(value.token)) return false
    const written = { count: expected + 1, token: String(token) }
    return (await this.#rows.compareAndSet({ id: this.#id, expectedVersion: version, value: written })).stored
  }

  async #row() {
    const row = await this.#rows.read({ id: this.#id, lock: false })
    if (row === undefined) throw new Error(`no register ${this.#id}`)
    return row
  }
}
