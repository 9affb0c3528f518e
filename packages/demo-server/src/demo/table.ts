import { stripVTControlCharacters } from 'node:util'

/** A table for the terminal: every column as wide as its widest cell, numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = [head, ...rows.map((row) => row.map(shown))]
  const widths = head.map((_, column) => Math.max(...cells.map((row) => width(row[column] ?? ''))))
  const toTheRight = head.map((_, column) => rows.every((row) => typeof row[column] === 'number'))
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => {
        const space = ' '.repeat((widths[column] ?? 0) - width(cell))
        return toTheRight[column] ? space + cell : cell + space
      })
      .join('  ')
      .trimEnd()
  const rule = widths.map((count) => '─'.repeat(count)).join('──')
  return [line(head), rule, ...cells.slice(1).map(line)].join('\n')
}

function shown(cell: string | number): string {
  return typeof cell === 'number' ? cell.toLocaleString('en-US') : cell
}

function width(text: string): number {
  return stripVTControlCharacters(text).length
}
