import { randomUUID } from 'node:crypto'
import type { Arena, ArenaOf, Servers } from './arenas.ts'
import { Nursery } from './nursery.ts'
import { type Kind, type Plan, pick, plansOf, VARIANTS, type Variant } from './plan.ts'
import { MOMENTS, type Moment, Points } from './points.ts'
import { type Lane, type Run, run } from './run.ts'

export interface MatrixOptions {
  /** How many runs with a SIGKILL; with a cut or terminated connection; with anything else. */
  readonly kills: number
  readonly cuts: number
  readonly others: number
  readonly variants?: readonly Variant[]
}

/** What came of all runs of one store in which the same kind of thing happened. */
export interface Tally {
  readonly store: string
  readonly setting: string
  readonly kind: Kind
  runs: number
  settled: number
  longestMs: number
  readonly violations: string[]
}

export interface MatrixReport {
  readonly tallies: readonly Tally[]
  /** The statements between which things happened, the longest list of all variants. */
  readonly statements: readonly string[]
}

/** Each has a process to which things happen; there are more than the machine has cores, as most of the time is waiting. */
const LANES = 6

/** Looks at what a charge sends, then lets everything happen at every point of it. */
export async function matrix(of: ArenaOf, servers: Servers, options: MatrixOptions): Promise<MatrixReport> {
  const { kills, cuts, others: rest, variants = VARIANTS } = options
  const arena = await of.open(servers)
  const [successor, rival] = await Promise.all([arena.start(new Points()), arena.start(new Points())])
  const others = { successor, rival }
  const tallies = new Map<Kind, Tally>()
  try {
    for (const instance of [successor, rival]) await instance.open({ ...of.opening, url: arena.url, name: 'matrix' })
    // What is sent once a server, such as a script, is no point: it would come in the first run alone.
    const order = { key: randomUUID(), account: arena.ledger.account(), flow: 'guarded' } as const
    for (const instance of [successor, rival]) await instance.charge(order)
    const all = await points(of, arena, variants, others)
    const plans = all.flatMap((each) => each.plans)
    const some = (count: number, ...kinds: Kind[]) =>
      pick(
        plans.filter(({ kind }) => kinds.includes(kind)),
        count,
      )
    const queue = [...some(kills, 'SIGKILL'), ...some(cuts, 'cut', 'terminate'), ...some(rest, 'swallow', 'zombie')]
    const nursery = new Nursery(kills === 0 ? 0 : 2, () => take(arena))
    const happen = async (seat: Seat, plan: Plan) => {
      const done = await run(of, arena, { ...others, ...seat }, plan.variant, plan).catch(itself)
      if (done.hit || done.violations.length > 0) tally(tallies, of, plan, done)
    }
    const lanes = Math.min(LANES, Math.ceil(queue.length / 8))
    await Promise.all(Array.from({ length: lanes }, () => lane(arena, queue, nursery, happen)))
    for (const seat of await nursery.left()) await seat.leave()
    const statements = all.reduce<readonly string[]>(
      (most, { texts }) => (texts.length > most.length ? texts : most),
      [],
    )
    const [first] = tallies.values()
    first?.violations.push(...(await arena.leftovers()))
    return { tallies: [...tallies.values()], statements }
  } finally {
    await Promise.all([successor, rival].map((instance) => instance.kill()))
    await arena.close()
  }
}

type Others = Pick<Lane, 'successor' | 'rival'>

/** A process to which something is to happen, and its line. */
interface Seat extends Pick<Lane, 'victim' | 'points' | 'wire'> {
  /** Whether its process has ended. */
  gone(): boolean
  leave(): Promise<void>
}

async function take(arena: Arena): Promise<Seat> {
  const heard = new Points()
  const [victim, wire] = await Promise.all([arena.start(heard), arena.wire(heard)])
  let gone = false
  void victim.died.then(() => {
    gone = true
  })
  const leave = async () => {
    await victim.kill()
    await wire?.close()
  }
  return { victim, points: heard, wire, gone: () => gone, leave }
}

/** The statements of charges to which nothing happens, and all that can. */
async function points(of: ArenaOf, arena: Arena, variants: readonly Variant[], others: Others) {
  const seat = await take(arena)
  const moments: readonly Moment[] = arena.unseen ? ['before', 'after'] : MOMENTS
  const all: { readonly plans: readonly Plan[]; readonly texts: readonly string[] }[] = []
  try {
    for (const variant of variants.filter(({ expired }) => !expired || arena.expires)) {
      const { heard, violations } = await run(of, arena, { ...others, ...seat }, variant)
      if (violations.length > 0) throw new Error(`without a fault: ${violations.join('; ')}`)
      const texts = heard.map(({ text }) => text)
      all.push({ plans: plansOf(variant, heard, arena.kinds, moments), texts })
    }
    return all
  } finally {
    await seat.leave()
  }
}

/** Takes plans from the queue until it is empty; whoever is killed is replaced. */
async function lane(
  arena: Arena,
  queue: Plan[],
  nursery: Nursery<Seat>,
  happen: (seat: Seat, plan: Plan) => Promise<void>,
): Promise<void> {
  let kept: Seat | undefined
  for (let plan = queue.shift(); plan !== undefined; plan = queue.shift()) {
    const killing = plan.kind === 'SIGKILL'
    const seat = killing ? await nursery.next() : (kept ?? (await take(arena)))
    await happen(seat, plan)
    if (!killing) kept = seat.gone() ? undefined : seat
    if (kept !== seat) await seat.leave()
  }
  await kept?.leave()
}

/** A run that came to no end: whatever happened, the process must live on. */
function itself(error: unknown): Run {
  return { heard: [], hit: true, violations: [String(error)], settled: false, recoveryMs: 0 }
}

function tally(tallies: Map<Kind, Tally>, { store, setting }: ArenaOf, plan: Plan, done: Run): void {
  const { kind, variant, moment, statement, text } = plan
  const fresh = { store, setting, kind, runs: 0, settled: 0, longestMs: 0, violations: [] }
  const all = tallies.get(kind) ?? fresh
  tallies.set(kind, all)
  all.runs += 1
  if (done.settled) all.settled += 1
  if (Number.isFinite(done.recoveryMs)) all.longestMs = Math.max(all.longestMs, done.recoveryMs)
  const words = Object.entries(variant).map(([name, value]) => (value === true ? name : value))
  const what = `${kind} ${moment} statement ${statement} (${shown(text)})`
  const where = `${store}, ${setting}: ${what}, ${words.filter(Boolean).join(' ')}`
  all.violations.push(...done.violations.map((violation) => `${where}: ${violation}`))
}

/** A statement on a line. */
export function shown(text: string): string {
  return text.replaceAll(/\s+/g, ' ').slice(0, 60)
}
