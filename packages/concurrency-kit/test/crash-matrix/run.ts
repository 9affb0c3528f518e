import { randomUUID } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import type { Arena, ArenaOf } from './arenas.ts'
import type { Instance, Order, Outcome } from './charge.ts'
import { Fault } from './fault.ts'
import { judge } from './judge.ts'
import type { Plan, Variant } from './plan.ts'
import { type Heard, isCommit, type Points } from './points.ts'
import type { Wire } from './wire.ts'

/** What a run goes through: the process that things happen to, and two that nothing happens to. */
export interface Lane {
  readonly victim: Instance
  readonly points: Points
  readonly wire: Wire | undefined
  readonly successor: Instance
  readonly rival: Instance
}

export interface Run {
  readonly heard: readonly Heard[]
  /** Whether the point came, and something happened there. */
  readonly hit: boolean
  readonly violations: readonly string[]
  /** Whether a COMMIT was left unanswered, and everybody got the answer all the same. */
  readonly settled: boolean
  /** From what happened to the first answer, in ms. */
  readonly recoveryMs: number
}

/** A key that nobody gets an answer for in that time is stuck. */
const STUCK_MS = 10_000

/** One charge to which `plan` happens, and what its client does then; without a plan nothing happens. */
export async function run(of: ArenaOf, arena: Arena, lane: Lane, variant: Variant, plan?: Plan): Promise<Run> {
  const { victim, points, wire, successor, rival } = lane
  const order = { key: randomUUID(), account: arena.ledger.account(), flow: variant.flow }
  if (variant.expired) await arena.ledger.expire(order)
  const name = `matrix-${randomUUID()}`
  await victim.open({ ...of.opening, url: wire === undefined ? arena.url : through(arena.url, wire), name })
  if (variant.warm) await victim.charge({ ...order, key: randomUUID(), account: arena.ledger.account() })

  const fault = new Fault(plan?.kind, victim, points)
  let diedAtMs: number | undefined
  void victim.died.then(() => {
    diedAtMs = performance.now()
  })
  points.arm(plan && fault.trap(plan))
  if (arena.unseen) await victim.arm(plan)
  const answers: Promise<Outcome>[] = []
  const times: number[] = []
  const charge = (instance: Instance, until?: number) => {
    const outcome = persist(instance, order, until).then((ended) => {
      if (ended.status === 'answer') times.push(performance.now())
      return ended
    })
    answers.push(outcome)
    return outcome
  }
  const first = charge(victim)
  if (variant.rival && plan !== undefined) {
    await Promise.race([first, arena.unseen || points.reached(plan.rivalAfter)])
    void charge(rival, STUCK_MS)
  }
  await Promise.race([first, fault.happened, victim.died])
  const frozen = plan?.kind === 'zombie'
  if (!frozen) await first
  const seenAtFault = await arena.ledger.seen(order)
  const firstOutcome = frozen ? undefined : await first
  // A transaction that stands still has its key until its connection is given up, which no store can tell.
  await charge(successor, frozen && of.opening.onAmbiguous === undefined ? 0 : STUCK_MS)
  fault.release()
  await Promise.all(answers)
  await charge(rival, STUCK_MS)
  const outcomes = await Promise.all(answers)
  const hit = arena.unseen ? outcomes[0]?.status === 'died' : await fault.hit
  const violations = judge({
    order,
    outcomes,
    seenAtFault,
    firstOutcome: variant.rival ? undefined : firstOutcome,
    seen: await arena.ledger.seen(order),
    mode: of.opening.onAmbiguous,
    plan,
  })
  const heard = arena.unseen && outcomes[0]?.status !== 'died' ? await victim.heard() : points.heard
  // A point that did not come must not come in the next run.
  points.arm()
  wire?.cutAll()
  // Whatever else happened to it, its process must live on; one that is killed may have answered first.
  if (plan?.kind !== 'SIGKILL') await victim.close().catch((error) => violations.push(String(error)))
  const sinceMs = fault.atMs ?? diedAtMs ?? performance.now()
  return {
    heard,
    hit,
    violations,
    settled: (fault.commitUnanswered || (hit && arena.unseen && ofCommit(plan))) && violations.length === 0,
    recoveryMs: Math.max(0, Math.min(...times.filter((at) => at >= sinceMs)) - sinceMs),
  }
}

/** Charges until it is settled, as a client would; without `forMs` just once. */
async function persist(instance: Instance, order: Order, forMs = 0): Promise<Outcome> {
  const endMs = performance.now() + forMs
  for (;;) {
    const outcome = await Promise.race([instance.charge(order), silence()])
    const open = outcome.status === 'error' && outcome.code !== 'AMBIGUOUS_OUTCOME'
    if (!open || performance.now() >= endMs) return outcome
    await setTimeout(5)
  }
}

/** What a call comes to that is never answered. */
function silence(): Promise<Outcome> {
  return setTimeout(STUCK_MS, { status: 'error', code: 'none', message: 'nothing, for ever' }, { ref: false })
}

/** Whether it committed, and nobody was told. */
function ofCommit(plan: Plan | undefined): boolean {
  return plan?.moment === 'after' && isCommit(plan.text)
}

function through(url: string, wire: Wire): string {
  const over = new URL(url)
  over.hostname = '127.0.0.1'
  over.port = String(wire.port)
  return over.href
}
