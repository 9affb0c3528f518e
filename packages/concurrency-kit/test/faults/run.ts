import { setTimeout } from 'node:timers/promises'
import { events, isLeaseLostError, isLockUnavailableError, isStoreError, withDistributedLock } from '../../src/index.ts'
import type { Arena, Command } from './arena.ts'
import { Observer, Register } from './observer.ts'

/** Lease, in ms; renewed at a third of it. */
export const TTL_MS = 600
/**
 * A store that forgets may let two overlap until the older holder has asked again, and has had its answer or the command's
 * deadline: a third of the lease each; and some ms for timers that fire late.
 */
export const MOST_OVERLAP_MS = TTL_MS / 3 + TTL_MS / 3 + 50

const CALLERS = 2
/** So many sections are longer than their lease. */
const LONG_SHARE = 0.25
const LONG_MS = TTL_MS * 1.4
/** Sections that must follow a fault, or the store has not come back. */
const SECTIONS_AFTER = 10
const PATIENCE_MS = 20_000

export interface Fault {
  readonly name: string
  readonly forgets: boolean
  /** Lets it happen while the contestants run, and resolves when it is over. */
  strike(arena: Arena): Promise<void>
}

export interface Outcome {
  readonly sections: number
  readonly overlapsMs: readonly number[]
  readonly tokensBackwards: number
  /** Increments that a section was told are written, and are not in the register. */
  readonly violatedEffects: number
  /** From the fault until each lease that it cost was known to be lost. */
  readonly lostAfterMs: readonly number[]
  /** Longest time without a new section. */
  readonly longestGapMs: number
  /** Anything but the errors that the documentation names, or a store that does not come back. */
  readonly faults: readonly string[]
}

/** Two processes of a few callers contend for one key while `fault` strikes. */
export async function contend(arena: Arena, fault: Fault, key: string): Promise<Outcome> {
  const observer = new Observer()
  const register = new Register()
  const faults: string[] = []
  const lostAfterMs: number[] = []
  let acknowledged = 0
  let struckAtMs = Number.POSITIVE_INFINITY
  let lastSectionMs = performance.now()
  let longestGapMs = 0
  let running = true
  let long = 0
  const lost = () => lostAfterMs.push(performance.now() - struckAtMs)
  events.lock.lost.subscribe(lost)

  const caller = async (index: number) => {
    const { store } = arena.contestants[index % arena.contestants.length] as Arena['contestants'][number]
    while (running) {
      try {
        await withDistributedLock({ store, key, ttlMs: TTL_MS, waitMs: 2_000 }, async (lease) => {
          const token = 'fencingToken' in lease ? (lease.fencingToken as bigint | undefined) : undefined
          const leave = observer.enter(lease, token)
          longestGapMs = Math.max(longestGapMs, performance.now() - lastSectionMs)
          lastSectionMs = performance.now()
          try {
            const read = register.value
            if (Math.random() < LONG_SHARE) {
              long += 1
              await setTimeout(LONG_MS)
              long -= 1
            } else await setTimeout(Math.random() * 5)
            if (register.write(read, token)) acknowledged += 1
          } finally {
            leave()
          }
        })
      } catch (error) {
        if (!isLeaseLostError(error) && !isLockUnavailableError(error) && !isStoreError(error))
          faults.push(String(error))
        await setTimeout(5)
      }
    }
  }
  const callers = Array.from({ length: CALLERS * arena.contestants.length }, (_, index) => caller(index))
  // In the middle of a section that will be renewed: there is a lease to be lost.
  const beginMs = performance.now() + PATIENCE_MS
  while (long === 0 && performance.now() < beginMs) await setTimeout(1)
  struckAtMs = performance.now()
  await fault.strike(arena)
  const expected = observer.sections + SECTIONS_AFTER
  const endMs = performance.now() + PATIENCE_MS
  while (observer.sections < expected && performance.now() < endMs) await setTimeout(5)
  if (observer.sections < expected)
    faults.push(`no ${SECTIONS_AFTER} sections within ${PATIENCE_MS} ms after the fault`)
  running = false
  await Promise.all(callers)
  await observer.settled()
  events.lock.lost.unsubscribe(lost)
  return {
    sections: observer.sections,
    overlapsMs: observer.overlapsMs,
    tokensBackwards: observer.tokensBackwards,
    violatedEffects: acknowledged - register.value,
    lostAfterMs,
    longestGapMs,
    faults,
  }
}

/** A lost reply, a hung line, a server that stands still or starts again: what each store is asked to survive. */
export function faultsOf(arena: Arena): readonly Fault[] {
  const commands: readonly Command[] = arena.contestants[0]?.lines.length ? ['acquire', 'extend', 'release'] : []
  const onCommand = commands.flatMap((command): Fault[] => {
    const lines = ({ contestants }: Arena) => contestants.flatMap((contestant) => contestant.lines)
    const on = (name: string, set: (line: ReturnType<typeof lines>[number], text: string) => Promise<void>): Fault => ({
      name: `${name} of ${command}`,
      forgets: false,
      // Whichever line has that command next; the traps of the others are taken away.
      strike: async (struck) => {
        const all = lines(struck)
        await Promise.race(all.map((line) => set(line, struck.onTheWire[command])))
        for (const line of all) line.clear()
      },
    })
    return [
      on('request cut', (line, text) => line.next('request', text, 'cut')),
      on('reply cut', (line, text) => line.nextReplyTo(text, 'cut')),
      on('reply halved', (line, text) => line.nextReplyTo(text, 'halve')),
      on('reply swallowed', (line, text) => line.nextReplyTo(text, 'swallow')),
      on('reply late by two leases', (line, text) => line.nextReplyTo(text, 2 * TTL_MS)),
    ]
  })
  const line: Fault = {
    name: 'line hangs for two leases',
    forgets: false,
    strike: async ({ contestants }) => {
      const lines = contestants[0]?.lines ?? []
      for (const each of lines) each.stall()
      await setTimeout(2 * TTL_MS)
      for (const each of lines) each.resume()
    },
  }
  const server = arena.serverFaults.map(
    ({ name, forgets, strike }): Fault => ({ name, forgets, strike: () => strike() }),
  )
  return [...onCommand, line, ...server]
}
