import { getEventListeners } from 'node:events'
import { PATIENT_MS } from './scenario.ts'
import type { SimulatedCall } from './simulated-call.ts'
import type { World } from './world.ts'

/** For timers that are late, and clocks that are read between them. */
const SLACK_MS = 20

/** A call ends in time: its wait, the attempts that were running when it was over, and the release after the section. */
export function checkWait(world: World, call: SimulatedCall): void {
  const { plan, store, calledAtMs, endedAtMs, began, name } = call
  const { environment: process, commandMs } = store
  if (!process.awake) return
  const nowMs = process.clock.monotonicMs()
  // While it was stopped nothing could be done about it.
  const since = (atMs: number) => nowMs - Math.max(atMs, process.wokeAtMs)
  if (!began && since(calledAtMs + plan.waitMs) > plan.keys.length * 3 * commandMs + SLACK_MS)
    world.violated('nobody waits for longer than asked', `${name} has waited for ${Math.round(nowMs - calledAtMs)} ms`)
  if (endedAtMs === undefined) return
  if (call.threw && !plan.owned) world.violated('an error comes through at once', `${name} has thrown`)
  if (since(endedAtMs) > commandMs + SLACK_MS)
    world.violated(
      'an ended section gives its caller back',
      `${name} has ended ${Math.round(nowMs - endedAtMs)} ms ago`,
    )
}

/** What a call may end with, by what it asked for and what went wrong. */
export function checkOutcome(
  world: World,
  { name, plan, store, began, threw, outcome, left }: SimulatedCall,
  lost: boolean,
): void {
  const code = outcome?.status === 'rejected' ? outcome.code : 'fulfilled'
  const wrong = (invariant: string) => world.violated(invariant, `${name} ended with ${code}`)
  if (getEventListeners(left.signal, 'abort').length > 0) wrong('no listener stays on a signal')
  if (threw && code !== 'declined') wrong('an error comes through as it was thrown')
  if (lost && code === 'fulfilled' && plan.whenLost === 'throw' && !plan.owned) wrong('a lost lease is told')
  const allowed: Record<string, boolean> = {
    fulfilled: began && !threw,
    declined: threw,
    LEFT: !began && left.signal.aborted,
    LOCK_UNAVAILABLE: !began && plan.waitMs < PATIENT_MS,
    STORE_ERROR: !began && (store.mayFail || store.closed),
    LEASE_LOST: !threw && (store.mayFail || store.closed),
  }
  if (allowed[code] !== true) wrong(code === 'LOCK_UNAVAILABLE' ? 'nobody starves' : 'outcomes are as documented')
}
