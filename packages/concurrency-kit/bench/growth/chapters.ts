import { measureCallers } from './callers.ts'
import { measureHandOff } from './hand-off.ts'
import { measureKeys } from './keys.ts'
import type { Panel, Plot } from './plot.ts'
import { measureProcesses } from './processes.ts'
import type { Row } from './results.ts'
import type { Servers } from './servers.ts'

/** A part of docs/growth.md: what is measured, and how it is shown. */
export interface Chapter {
  measure(rounds: number, servers: Servers): Promise<Row[]>
  readonly columns: readonly Column[]
  /** By the names of their files. */
  readonly plots: Readonly<Record<string, (rows: readonly Row[]) => Plot>>
}

export interface Column {
  readonly head: string
  readonly of: (row: Row) => string | number | null | undefined
  readonly digits?: number
}

const text = (head: string, field: string): Column => ({ head, of: (row) => row[field] })
const number = (head: string, field: string, digits: number): Column => ({ head, of: (row) => row[field], digits })

const rate: Panel = { y: 'perSecond', title: 'sections/s' }
const p99: Panel = { y: 'p99Ms', title: 'p99 wait, ms' }
const wayOnStore = ({ way, store }: Row) => `${way}, ${store}`

export const chapters: Readonly<Record<string, Chapter>> = {
  callers: {
    measure: measureCallers,
    columns: [
      text('', 'way'),
      text('on', 'store'),
      number('callers', 'callers', 0),
      number('sections/s', 'perSecond', 0),
      number('median wait, ms', 'p50Ms', 2),
      number('p99 wait, ms', 'p99Ms', 2),
      number('commands per section', 'commands', 3),
    ],
    plots: {
      'callers-memory': (rows) => callersPlot('in memory', rows, 'memory', [rate, p99]),
      'callers-redis': (rows) =>
        callersPlot('on Redis', rows, 'Redis', [rate, p99, { y: 'commands', title: 'commands per section' }]),
    },
  },
  keys: {
    measure: measureKeys,
    columns: [
      text('', 'way'),
      text('on', 'store'),
      number('keys', 'keys', 0),
      number('sections/s', 'perSecond', 0),
      number('client, bytes per held key', 'clientHeld', 0),
      number('server, bytes per held key', 'serverHeld', 0),
      number('left on the client, bytes per key', 'clientLeft', 1),
      number('left on the server, bytes per key', 'serverLeft', 1),
    ],
    plots: {
      keys: (rows) => ({
        title: '100 callers go round many keys',
        x: 'keys',
        xTitle: 'keys',
        rows,
        line: wayOnStore,
        panels: [
          rate,
          { y: 'clientHeld', title: 'client: bytes per held key', scale: 'linear' },
          { y: 'serverHeld', title: 'server: bytes per held key', scale: 'linear' },
        ],
      }),
    },
  },
  processes: {
    measure: measureProcesses,
    columns: [
      text('', 'way'),
      text('on', 'store'),
      { head: 'processes', of: ({ processes }) => (processes === 8 ? '8 (more than cores)' : processes) },
      number('sections/s', 'perSecond', 0),
      number('median wait, ms', 'p50Ms', 1),
      number('p99 wait, ms', 'p99Ms', 1),
      number('Jain over processes', 'jain', 3),
      number('Jain over callers', 'callersJain', 3),
      number('commands per section', 'commands', 2),
    ],
    plots: {
      processes: (rows) => ({
        title: 'Processes of 16 callers want one key, sections of 1 ms (8 are more than the cores)',
        x: 'processes',
        xTitle: 'processes',
        rows,
        line: wayOnStore,
        panels: [{ ...rate, scale: 'linear' }, p99, { y: 'jain', title: 'Jain over processes', scale: 'linear' }],
      }),
    },
  },
  'hand-off': {
    measure: measureHandOff,
    columns: [
      { head: 'section', of: ({ sectionMs }) => (sectionMs === 0 ? 'empty' : `${sectionMs} ms`) },
      number('at most sections', 'maxSections', 0),
      number('at most ms', 'maxMs', 0),
      number('sections/s', 'perSecond', 0),
      number('median wait, ms', 'p50Ms', 1),
      number('p99 wait, ms', 'p99Ms', 1),
      number('Jain over processes', 'jain', 3),
      number('commands per section', 'commands', 3),
    ],
    plots: {
      'hand-off': (rows) => handOffPlot('sections of 1 ms', rows, 1),
      'hand-off-empty': (rows) => handOffPlot('empty sections', rows, 0),
    },
  },
}

function callersPlot(where: string, rows: readonly Row[], store: string, panels: readonly Panel[]): Plot {
  return {
    title: `Callers of one process want one key ${where}, empty sections`,
    x: 'callers',
    xTitle: 'callers',
    rows: rows.filter((row) => row.store === store),
    line: ({ way }) => way,
    panels,
  }
}

function handOffPlot(sections: string, rows: readonly Row[], sectionMs: number): Plot {
  return {
    title: `4 processes of 16 callers, ${sections}: how long a lease may be handed on`,
    x: 'maxMs',
    xTitle: 'at most ms',
    rows: rows.filter((row) => row.sectionMs === sectionMs),
    line: ({ maxSections }) => `at most ${maxSections} sections`,
    panels: [
      { ...rate, scale: 'linear' },
      { ...p99, scale: 'linear' },
      { y: 'jain', title: 'Jain over processes', scale: 'linear' },
    ],
  }
}
