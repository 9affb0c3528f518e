import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import path from 'node:path'

export const FOLDER = path.resolve(import.meta.dirname, '../../../../docs/growth')

/** One point of a plot, and one line of a table: a way to lock, at a size. Figures that could not be had are null. */
export type Row = { readonly way: string } & Readonly<Record<string, string | number | null>>

export interface Results {
  /** Day on which they were measured. */
  readonly date: string
  readonly machine: string
  readonly node: string
  readonly rounds: number
  readonly rows: readonly Row[]
}

export function write(name: string, rounds: number, rows: readonly Row[]): void {
  const results: Results = {
    date: new Date().toISOString().slice(0, 10),
    machine: `${availableParallelism()} shared cores`,
    node: process.version,
    rounds,
    rows: rows.map(rounded),
  }
  mkdirSync(FOLDER, { recursive: true })
  writeFileSync(path.join(FOLDER, `${name}.json`), `${JSON.stringify(results, null, 2)}\n`)
}

export function read(name: string): Results {
  return JSON.parse(readFileSync(path.join(FOLDER, `${name}.json`), 'utf8'))
}

function rounded(row: Row): Row {
  const cells = Object.entries(row).map(([field, cell]) => {
    if (typeof cell !== 'number') return [field, cell]
    return [field, Number.isFinite(cell) ? Number(cell.toPrecision(4)) : null]
  })
  return Object.fromEntries(cells)
}
