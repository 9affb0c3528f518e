import { setTimeout } from 'node:timers/promises'
import type { FaultyLine } from '../support/faulty-line.ts'
import type { Arena, Command } from './arena.ts'
import { TTL_MS } from './timing.ts'

export interface Fault {
  readonly name: string
  readonly forgets: boolean
  /** Lets it happen while the contestants run, and resolves when it is over. */
  strike(arena: Arena, key: string): Promise<void>
}

const COMMANDS: readonly Command[] = ['acquire', 'extend', 'release']

/** A lost reply, a hung line, a server that stands still or starts again: what each store is asked to survive. */
export function faultsOf(arena: Arena): readonly Fault[] {
  const onLines = arena.contestants[0]?.lines.length ? [...COMMANDS.flatMap(lineFaults), hangingLine] : []
  const server = arena.serverFaults.map(
    ({ name, forgets, strike }): Fault => ({ name, forgets, strike: (_, key) => strike(key) }),
  )
  return [...onLines, ...server]
}

function lineFaults(command: Command): readonly Fault[] {
  const on = (name: string, set: (line: FaultyLine, text: string) => Promise<void>): Fault => ({
    name: `${name} of ${command}`,
    forgets: false,
    // Whichever line has that command next; the traps of the others are taken away.
    strike: async ({ contestants, onTheWire }) => {
      const lines = contestants.flatMap((contestant) => contestant.lines)
      await Promise.race(lines.map((line) => set(line, onTheWire[command])))
      for (const line of lines) line.clear()
    },
  })
  return [
    on('request cut', (line, text) => line.next('request', text, 'cut')),
    on('reply cut', (line, text) => line.nextReplyTo(text, 'cut')),
    on('reply halved', (line, text) => line.nextReplyTo(text, 'halve')),
    on('reply swallowed', (line, text) => line.nextReplyTo(text, 'swallow')),
    on('reply late by two leases', (line, text) => line.nextReplyTo(text, 2 * TTL_MS)),
  ]
}

const hangingLine: Fault = {
  name: 'line hangs for two leases',
  forgets: false,
  strike: async ({ contestants }) => {
    const lines = contestants[0]?.lines ?? []
    for (const each of lines) each.stall()
    await setTimeout(2 * TTL_MS)
    for (const each of lines) each.resume()
  },
}
