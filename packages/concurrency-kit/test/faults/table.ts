import type { Fault } from './faults.ts'
import type { Outcome } from './run.ts'
import { MOST_OVERLAP_MS } from './timing.ts'

export interface Row {
  readonly store: string
  readonly fault: Fault
  readonly outcomes: readonly Outcome[]
}

interface Column {
  readonly title: string
  readonly width: number
  cell(row: Row): string | number
}

const longestOverlapMs = ({ outcomes }: Row) => longest(outcomes.flatMap(({ overlapsMs }) => overlapsMs))
export const problems = ({ outcomes }: Row) => [...new Set(outcomes.flatMap(({ faults }) => faults))]

function violated({ outcomes }: Row): number {
  return outcomes.reduce((sum, { violatedEffects, tokensBackwards }) => sum + violatedEffects + tokensBackwards, 0)
}

export function holds(row: Row): boolean {
  const allowedMs = row.fault.forgets ? MOST_OVERLAP_MS : 0
  return violated(row) === 0 && problems(row).length === 0 && longestOverlapMs(row) <= allowedMs
}

const COLUMNS: readonly Column[] = [
  { title: 'store', width: 31, cell: ({ store }) => store },
  { title: 'fault', width: 45, cell: ({ fault }) => fault.name },
  { title: 'forgets', width: 7, cell: ({ fault }) => (fault.forgets ? 'yes' : '') },
  { title: 'runs', width: 4, cell: ({ outcomes }) => outcomes.length },
  { title: 'sections', width: 8, cell: ({ outcomes }) => outcomes.reduce((sum, each) => sum + each.sections, 0) },
  { title: 'overlaps', width: 8, cell: ({ outcomes }) => outcomes.flatMap(({ overlapsMs }) => overlapsMs).length },
  { title: 'longest', width: 7, cell: longestOverlapMs },
  { title: 'violated', width: 8, cell: violated },
  { title: 'lost after', width: 10, cell: ({ outcomes }) => longest(outcomes.flatMap((each) => each.lostAfterMs)) },
  { title: 'gap', width: 6, cell: ({ outcomes }) => longest(outcomes.map((each) => each.longestGapMs)) },
  { title: '', width: 13, cell: (row) => (holds(row) ? 'holds' : 'DOES NOT HOLD') },
]

export const heading = () => COLUMNS.map(({ title, width }) => title.padEnd(width)).join(' ')
export const line = (row: Row) => COLUMNS.map((column) => padded(column.cell(row), column.width)).join(' ')

export const markdownHeading = () =>
  `${markdown(COLUMNS.map(({ title }) => title))}\n${markdown(COLUMNS.map(() => '-'))}`
export const markdownLine = (row: Row) => markdown(COLUMNS.map((column) => column.cell(row)))

function markdown(cells: readonly (string | number)[]): string {
  return `| ${cells.join(' | ')} |`
}

function padded(cell: string | number, width: number): string {
  return typeof cell === 'string' ? cell.padEnd(width) : String(cell).padStart(width)
}

function longest(values: readonly number[]): number {
  return Math.ceil(Math.max(0, ...values))
}
