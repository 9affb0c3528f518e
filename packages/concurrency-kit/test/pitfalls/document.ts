import { RECORD_STORES } from '../idempotency/pitfalls/pitfall.ts'
import { recordPitfalls } from '../idempotency/pitfalls/prove.ts'
import { STORES } from '../lock/pitfalls/pitfall.ts'
import { pitfalls } from '../lock/pitfalls/prove.ts'
import { ownPitfalls, sqlPitfalls } from './own-pitfalls.ts'

/** Of a table of faults: the tables of stores have a cell less. */
const row = /^\| ([LISCHTPGVX]\d+) +\|(.*\|.*)\|([^|]*)\|$/gm

/** Without what only lines up the columns. */
export function withoutPadding(text: string): string {
  return text.replaceAll(/ +\|/g, ' |').replaceAll(/-+ \|/g, '- |')
}

/** The numbers that have a row, in their order. */
export function numbersIn(text: string): string[] {
  return Array.from(text.matchAll(row), ([, number]) => number as string)
}

/** The document with its tests column and its tables of stores as the tests are now; a note in place of tests stays. */
export function withTests(text: string, tests: ReadonlyMap<string, readonly string[]>): string {
  const filled = text.replaceAll(row, (line, number: string, cells: string) => {
    const files = tests.get(number)
    return files === undefined ? line : `| ${number} |${cells}| ${files.join(', ')} |`
  })
  const tables = {
    locks: storesTable(STORES, [...pitfalls, ...ownPitfalls]),
    records: storesTable(RECORD_STORES, recordPitfalls),
    sql: [
      '| number | can happen on | elsewhere it cannot, because |',
      '| - | - | - |',
      ...sqlPitfalls.map(({ number, on, elsewhere }) => `| ${number} | ${on} | ${elsewhere} |`),
    ],
  }
  return Object.entries(tables).reduce(
    (done, [name, lines]) =>
      done.replace(new RegExp(`(<!-- ${name} -->\n)[^]*?(<!-- end -->)`), `$1\n${lines.join('\n')}\n\n$2`),
    filled,
  )
}

/** Of each fault the stores that it cannot happen on, and why. */
function storesTable<Name extends string>(
  stores: readonly Name[],
  faults: readonly { readonly number: string; readonly not?: Partial<Record<Name, string>> }[],
): string[] {
  const lines = ['| number | on | cannot happen, because |', '| - | - | - |']
  const reasons = new Map<string, Map<string, Name[]>>()
  for (const { number, not = {} as Partial<Record<Name, string>> } of faults) {
    for (const store of stores) {
      const reason = not[store]
      if (reason === undefined) continue
      const ofNumber = reasons.get(number) ?? new Map<string, Name[]>()
      // A fault can have several tests, each with its own entry.
      reasons.set(number, ofNumber.set(reason, [...new Set([...(ofNumber.get(reason) ?? []), store])]))
    }
  }
  const inOrder = [...reasons].sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }))
  for (const [number, byReason] of inOrder)
    for (const [reason, on] of byReason) lines.push(`| ${number} | ${on.join('; ')} | ${reason} |`)
  return lines
}
