import { STORES, type StoreName } from '../lock/pitfalls/pitfall.ts'
import { pitfalls } from '../lock/pitfalls/prove.ts'
import { ownPitfalls } from './own-pitfalls.ts'

const row = /^\| ([LISCHTP]\d+) +\|(.*)\|([^|]*)\|$/gm

/** Without what only lines up the columns. */
export function withoutPadding(text: string): string {
  return text.replaceAll(/ +\|/g, ' |').replaceAll(/-+ \|/g, '- |')
}

/** The numbers that have a row, in their order. */
export function numbersIn(text: string): string[] {
  return Array.from(text.matchAll(row), ([, number]) => number as string)
}

/** The document with its tests column and its table of stores as the tests are now; a note in place of tests stays. */
export function withTests(text: string, tests: ReadonlyMap<string, readonly string[]>): string {
  const filled = text.replaceAll(row, (line, number: string, cells: string) => {
    const files = tests.get(number)
    return files === undefined ? line : `| ${number} |${cells}| ${files.join(', ')} |`
  })
  return filled.replace(/(<!-- stores -->\n+)[\s\S]*?(\n+<!-- end -->)/, `$1${storesTable()}$2`)
}

/** Of each lock fault the stores that it cannot happen on, and why. */
function storesTable(): string {
  const lines = ['| number | on | cannot happen, because |', '| - | - | - |']
  const reasons = new Map<string, Map<string, StoreName[]>>()
  for (const { number, not = {} } of [...pitfalls, ...ownPitfalls]) {
    for (const store of STORES) {
      const reason = not[store]
      if (reason === undefined) continue
      const ofNumber = reasons.get(number) ?? new Map<string, StoreName[]>()
      reasons.set(number, ofNumber.set(reason, [...(ofNumber.get(reason) ?? []), store]))
    }
  }
  const inOrder = [...reasons].sort(([a], [b]) => Number.parseInt(a.slice(1), 10) - Number.parseInt(b.slice(1), 10))
  for (const [number, byReason] of inOrder)
    for (const [reason, stores] of byReason) lines.push(`| ${number} | ${stores.join(', ')} | ${reason} |`)
  return lines.join('\n')
}
