import { shown } from '../../options.ts'
import { type Quote, quoted } from '../../sql/names.ts'

interface IdOptions {
  readonly idColumn?: string | undefined
  readonly idColumns?: readonly string[] | undefined
}

/** The columns that identify a row: one column holds the id itself, several hold the properties of the id. */
export class RowId<Id> {
  /** Quoted. */
  readonly columns: readonly string[]
  /** Condition that selects the row. */
  readonly sql: string
  readonly #names: readonly string[] | undefined

  /** @throws TypeError for invalid column names, or both options at once. */
  constructor({ idColumn, idColumns }: IdOptions, quote: Quote) {
    if (idColumn !== undefined && idColumns !== undefined)
      throw new TypeError('idColumn and idColumns must not be given together')
    if (
      idColumns !== undefined &&
      (!Array.isArray(idColumns) || new Set(idColumns).size !== idColumns.length || idColumns.length === 0)
    )
      throw new TypeError(`idColumns must be a list of different column names, but is ${shown(idColumns)}`)
    this.#names = idColumns
    this.columns =
      idColumns === undefined
        ? [quoted('idColumn', idColumn ?? 'id', quote)]
        : idColumns.map((name) => quoted('idColumns', name, quote))
    this.sql = this.columns.map((column) => `${column} = ?`).join(' AND ')
  }

  /** @throws TypeError unless a composite id has exactly the columns in `idColumns`; or for a lone surrogate. */
  bindings(id: Id): readonly unknown[] {
    const names = this.#names
    if (names === undefined) return [wellFormed('id', id)]
    const given: Record<string, unknown> = typeof id === 'object' && id !== null ? { ...id } : {}
    if (Object.keys(given).length !== names.length || names.some((name) => (given[name] ?? undefined) === undefined))
      throw new TypeError(`id must be an object with ${names.join(', ')}, but is ${shown(id)}`)
    return names.map((name) => wellFormed(`id.${name}`, given[name]))
  }
}

/** UTF-8 has no lone surrogates: the id would be sent as that of another row. */
function wellFormed(option: string, value: unknown): unknown {
  if (typeof value !== 'string' || value.isWellFormed()) return value
  throw new TypeError(`${option} must be without lone surrogates, but is ${shown(value)}`)
}
