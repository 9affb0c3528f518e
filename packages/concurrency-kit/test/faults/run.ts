import { setTimeout } from 'node:timers/promises'
import { events } from '../../src/index.ts'
import type { Arena } from './arena.ts'
import type { Fault } from './faults.ts'
import { Observer } from './observer.ts'
import { Presence } from './presence.ts'
import { MemoryRegister } from './register.ts'
import { nowMs } from './timing.ts'

/** Sections that must follow a fault, or the store has not come back. */
const SECTIONS_AFTER = 10
const PATIENCE_MS = 20_000

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
  const register = (await arena.register?.(key)) ?? new MemoryRegister()
  const presence = new Presence(observer.hear)
  const lost = () => observer.hear({ what: 'lost', atMs: nowMs() })
  events.lock.lost.subscribe(lost)
  const stops = await Promise.all(
    arena.contestants.map((contestant) => contestant.join({ key, observer, register, presence })),
  )
  const startMs = nowMs()
  // In the middle of a section that will be renewed: there is a lease to be lost.
  await until(() => observer.longUnderWay)
  const struckAtMs = nowMs()
  await fault.strike(arena, key)
  const expected = observer.sections + SECTIONS_AFTER
  if (!(await until(() => observer.sections >= expected)))
    observer.faults.push(`no ${SECTIONS_AFTER} sections within ${PATIENCE_MS} ms after the fault`)
  await Promise.all(stops.map((stop) => stop()))
  events.lock.lost.unsubscribe(lost)
  return {
    sections: observer.sections,
    overlapsMs: observer.overlapsMs(),
    tokensBackwards: observer.tokensBackwards(),
    // A killed process may have written what it could not tell of.
    violatedEffects: Math.max(0, observer.acknowledged - (await register.read())),
    lostAfterMs: observer.lostMs.map((atMs) => atMs - struckAtMs),
    longestGapMs: observer.longestGapMs(startMs),
    faults: observer.faults,
  }
}

async function until(condition: () => boolean): Promise<boolean> {
  const endMs = performance.now() + PATIENCE_MS
  while (!condition()) {
    if (performance.now() > endMs) return false
    await setTimeout(1)
  }
  return true
}
