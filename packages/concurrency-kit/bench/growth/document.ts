import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type Chapter, type Column, chapters } from './chapters.ts'
import { draw } from './plot.ts'
import { FOLDER, type Results, type Row, read } from './results.ts'

const DOCUMENT = `${FOLDER}.md`

/** Writes the plots, and the tables between their marks in docs/growth.md, from the figures that are there. */
export async function document(): Promise<void> {
  let text = readFileSync(DOCUMENT, 'utf8')
  for (const [name, chapter] of Object.entries(chapters)) {
    if (!existsSync(path.join(FOLDER, `${name}.json`))) continue
    const results = read(name)
    for (const [plot, of] of Object.entries(chapter.plots)) {
      writeFileSync(path.join(FOLDER, `${plot}.svg`), await draw(of(results.rows)))
    }
    text = between(name, text, section(name, chapter, results))
  }
  writeFileSync(DOCUMENT, text)
}

function between(name: string, text: string, inside: string): string {
  const [start, end] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`]
  const [from, to] = [text.indexOf(start), text.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`docs/growth.md has no place for ${name}: ${start} … ${end}`)
  return `${text.slice(0, from + start.length)}\n\n${inside}\n\n${text.slice(to)}`
}

function section(name: string, { columns, plots }: Chapter, { date, machine, node, rounds, rows }: Results): string {
  const command = `npx -y pnpm@10 -F concurrency-kit growth ${name} ${rounds}`
  const medians = rounds === 1 ? 'one round' : `medians of ${rounds} rounds`
  const images = Object.entries(plots).map(([plot, of]) => `![${of(rows).title}](growth/${plot}.svg)`)
  const about = `\`${command}\`, ${date}, Node.js ${node.slice(1)}, ${machine}: ${medians}.`
  return [about, ...images, table(columns, rows)].join('\n\n')
}

function table(columns: readonly Column[], rows: readonly Row[]): string {
  const lines = [
    columns.map(({ head }) => head),
    columns.map(({ digits }) => (digits === undefined ? '-' : '-:')),
    ...rows.map((row) => columns.map((column) => cell(column, row))),
  ]
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

function cell({ of, digits }: Column, row: Row): string {
  const value = of(row)
  if (value === null || value === undefined) return ''
  if (typeof value === 'string' || digits === undefined) return String(value)
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}
