import fc from 'fast-check'
import type { BalanceLine, ChargeLine, HistoryLine, Outcome } from './format.ts'

/** What a client does, and what becomes of it: `lost` was not done, `unheard` was done, and neither was answered. */
export interface Step {
  readonly user: number
  readonly action: 'charge' | 'repeat' | 'balance'
  readonly amount: number
  /** Which of the user's earlier keys is repeated, as a share. */
  readonly which: number
  readonly fate: 'answered' | 'lost' | 'unheard' | 'refused'
  /** Pause before, way there, way back; in µs. */
  readonly times: readonly [number, number, number]
}

export interface Plan {
  /** By client. */
  readonly clients: readonly (readonly Step[])[]
  /** Whether each key is asked for until it is answered. */
  readonly settled: boolean
}

/** A request on its way, done at one point in time. */
export interface Request {
  readonly process: number
  readonly user: number
  readonly key: string | undefined
  readonly amount: number
  readonly fate: Step['fate']
  readonly invoked: number
  readonly point: number
  readonly answered: number
}

const USERS = [1, 2] as const
const STARTING = 1_000

const step = fc.record<Step>({
  user: fc.constantFrom(...USERS),
  action: fc.constantFrom('charge', 'charge', 'repeat', 'balance'),
  amount: fc.integer({ min: 1, max: 1_000 }),
  which: fc.double({ min: 0, max: 0.999, noNaN: true }),
  fate: fc.constantFrom('answered', 'answered', 'answered', 'lost', 'unheard', 'refused'),
  times: fc.tuple(fc.nat(20), fc.nat(20), fc.nat(20)),
})

export const plan = fc.record<Plan>({
  clients: fc.array(fc.array(step, { maxLength: 12 }), { minLength: 1, maxLength: 4 }),
  settled: fc.boolean(),
})

/** The requests of a plan, in the order in which they are done; at the end each balance is read once more. */
export function requestsOf({ clients, settled }: Plan): Request[] {
  const keys = new Map<number, { key: string; amount: number }[]>(USERS.map((user) => [user, []]))
  const requests: Request[] = []
  let last = 0
  for (const [process, steps] of clients.entries()) {
    let now = 0
    for (const { user, action, amount, which, fate, times } of steps) {
      const known = keys.get(user) ?? []
      const invoked = now + times[0]
      const point = invoked + times[1]
      const answered = point + times[2]
      now = answered
      last = Math.max(last, answered)
      const at = { process, user, fate, invoked, point, answered }
      const old = action === 'repeat' ? known[Math.floor(which * known.length)] : undefined
      if (old) requests.push({ ...at, ...old })
      else if (action === 'balance') requests.push({ ...at, key: undefined, amount: 0 })
      else {
        const fresh = { key: `key-${requests.length}`, amount }
        known.push(fresh)
        requests.push({ ...at, ...fresh })
      }
    }
  }
  const after = () => {
    last += 3
    return { process: clients.length, fate: 'answered', invoked: last - 2, point: last - 1, answered: last } as const
  }
  for (const user of USERS) {
    if (settled) for (const each of keys.get(user) ?? []) requests.push({ ...after(), user, ...each })
    requests.push({ ...after(), user, key: undefined, amount: 0 })
  }
  return requests.sort((a, b) => a.point - b.point)
}

/** A server that does one thing at a time. */
export class ModelServer {
  readonly balances = new Map<number, number>(USERS.map((user) => [user, STARTING]))
  readonly records = new Map<string, string>()
  #charges = 0

  /** @param heard - Whether the client will get the answer. */
  charge(user: number, key: string, amount: number, _heard: boolean): string {
    return this.records.get(key) ?? this.add(user, key, amount, this.read(user))
  }

  read(user: number): number {
    return this.balances.get(user) ?? 0
  }

  protected add(user: number, key: string, amount: number, from: number): string {
    this.#charges += 1
    const balance = from + amount
    const answer = JSON.stringify({
      userId: user,
      balance,
      chargedAmount: amount,
      chargedAt: `charge ${this.#charges}`,
    })
    this.balances.set(user, balance)
    this.records.set(key, answer)
    return answer
  }
}

/** What clients write down when a server does their requests in this order. */
export function historyOf(requests: readonly Request[], server = new ModelServer()): HistoryLine[] {
  const starting = Object.fromEntries(server.balances)
  const lines = requests.map((request): ChargeLine | BalanceLine => {
    const { process, user, key, amount, fate, invoked, answered } = request
    const outcome: Outcome = fate === 'answered' ? 'ok' : fate === 'refused' ? 'fail' : 'unknown'
    const heard = outcome === 'ok'
    const common = { process, instance: 0, user, invoked, answered, outcome }
    if (key === undefined) return { kind: 'balance', ...common, ...(heard && { balance: server.read(user) }) }
    const answer = isDone(request) ? server.charge(user, key, amount, heard) : undefined
    return { kind: 'charge', ...common, key, amount, ...(heard && answer !== undefined && { answer }) }
  })
  const now = Math.max(0, ...requests.map(({ answered }) => answered)) + 1
  return [
    { kind: 'history', version: 1, seed: 0, instances: 1, processes: 5, balances: starting },
    ...lines.sort((a, b) => a.answered - b.answered),
    { kind: 'end', invoked: now, answered: now, balances: Object.fromEntries(server.balances) },
  ]
}

export function isDone({ fate }: Pick<Request, 'fate'>): boolean {
  return fate === 'answered' || fate === 'unheard'
}
