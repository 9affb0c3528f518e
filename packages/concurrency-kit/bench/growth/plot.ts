import { parse, View } from 'vega'
import { compile, type TopLevelSpec } from 'vega-lite'
import type { Row } from './results.ts'

export interface Panel {
  readonly y: string
  readonly title: string
  /** @defaultValue 'log' */
  readonly scale?: 'log' | 'linear'
}

export interface Plot {
  readonly title: string
  readonly x: string
  readonly xTitle: string
  /** Where rows are missing in a panel, their figures are null. */
  readonly rows: readonly Row[]
  /** The line that a row belongs to. */
  readonly line: (row: Row) => string
  readonly panels: readonly Panel[]
}

const POWERS = Array.from({ length: 12 }, (_, index) => 10 ** (index - 4))
/** 0.01, 5, 100, 10k: not 10m for a hundredth. */
const LABELS = { labelExpr: "format(datum.value, datum.value < 1000 ? '~r' : '~s')" }

/** Panels beside each other, one line for each way, as SVG; white, so that it can be read on a dark page too. */
export async function draw({ title, x, xTitle, rows, line, panels }: Plot): Promise<string> {
  const values = rows.map((row) => ({ ...row, line: line(row) }))
  const lines = [...new Set(values.map((row) => row.line))]
  const ticks = [...new Set(rows.map((row) => row[x] as number))]
  const spec: TopLevelSpec = {
    title: { text: title, anchor: 'start', fontSize: 15, offset: 12 },
    background: 'white',
    padding: 12,
    data: { values },
    hconcat: panels.map(({ y, title: yTitle, scale = 'log' }) => ({
      title: { text: yTitle, fontWeight: 'normal', fontSize: 13 },
      width: 300,
      height: 260,
      transform: [{ filter: `datum['${y}'] !== null && isValid(datum['${y}'])` }],
      mark: { type: 'line', point: { size: 45 }, strokeWidth: 2 },
      encoding: {
        x: {
          field: x,
          type: 'quantitative',
          title: xTitle,
          scale: { type: 'log', nice: false, padding: 12 },
          axis: { ...LABELS, values: ticks, grid: false },
        },
        y: {
          field: y,
          type: 'quantitative',
          title: null,
          scale: scale === 'linear' ? { zero: true } : { type: 'log' },
          axis: { ...LABELS, ...(scale === 'log' && { values: POWERS }) },
        },
        color: { field: 'line', type: 'nominal', sort: lines, scale: { scheme: 'tableau10' } },
        shape: { field: 'line', type: 'nominal', sort: lines },
      },
    })),
    config: {
      font: 'sans-serif',
      axis: { labelFontSize: 12, titleFontSize: 12 },
      legend: { title: null, labelFontSize: 12, labelLimit: 300, orient: 'bottom', columns: 4, symbolStrokeWidth: 2 },
      view: { stroke: '#ccc' },
    },
  }
  return `${await new View(parse(compile(spec).spec), { renderer: 'none' }).toSVG()}\n`
}
