import { setTimeout } from 'node:timers/promises'
import { Chance } from '../../../concurrency-kit/test/simulator/chance.ts'
import { Connection, type HttpAnswer, NotSentError } from './connection.ts'
import type { Outcome } from './format.ts'
import { type Charge, Keys } from './keys.ts'
import { drawOperation, USERS, type Wanted } from './mix.ts'
import { nowMicros, type Recorder } from './recorder.ts'
import { type Intent, Tally } from './tally.ts'

export const CLIENTS = 64
const DEADLINE_MS = 4_000
const MOST_ATTEMPTS = 6
const LONGEST_PAUSE_MS = 2_000
const SETTLE_MS = 90_000

/** Clients that charge, repeat and read, and write down what they did and heard. */
export class Clients {
  readonly tally = new Tally()
  readonly #operations: number
  readonly #recorder: Recorder
  readonly #connections: readonly (readonly Connection[])[]
  readonly #chances: readonly Chance[]
  readonly #keys = new Keys()
  readonly #open = new Map<string, Charge>()
  #waiting: { readonly operations: number; readonly reached: () => void }[] = []

  constructor(ports: readonly number[], operations: number, seed: number, recorder: Recorder) {
    this.#operations = operations
    this.#recorder = recorder
    this.#connections = Array.from({ length: CLIENTS }, () => ports.map((port) => new Connection(port)))
    const chance = new Chance(seed)
    this.#chances = this.#connections.map(() => chance.fork())
  }

  /** Whether all operations have begun. */
  get over(): boolean {
    return this.tally.operations >= this.#operations
  }

  /** Resolves when so many operations have begun, or all. */
  reached(operations: number): Promise<void> {
    if (this.over) return Promise.resolve()
    return new Promise((reached) => this.#waiting.push({ operations, reached }))
  }

  /** Hangs up on an instance, in the middle of whatever it was asked. */
  cut(instance: number): void {
    for (const connections of this.#connections) connections[instance]?.cut()
  }

  async run(): Promise<void> {
    await this.#each(async (process, chance) => {
      while (!this.over) await this.#operation(process, chance)
    })
  }

  /** Asks for each key that was not answered until it is, and reads every balance at every instance. */
  async settle(): Promise<void> {
    const deadline = performance.now() + SETTLE_MS
    const charges = [...this.#open.values()]
    this.tally.leftOpen = charges.length
    const users = Array.from({ length: USERS }, (_, index) => index + 1)
    const reads = this.#connections[0]?.flatMap((_, instance) => users.map((user) => ({ user, instance }))) ?? []
    await this.#each(async (process, chance) => {
      for (let charge = charges.pop(); charge; charge = charges.pop()) {
        while (performance.now() < deadline && !(await this.#ask(process, charge, chance, MOST_ATTEMPTS))) {}
      }
    })
    await this.#each(async (process) => {
      for (let read = reads.pop(); read; read = reads.pop()) await this.#send(process, read.instance, read)
    })
  }

  close(): void {
    for (const connection of this.#connections.flat()) connection.cut()
  }

  async #each(client: (process: number, chance: Chance) => Promise<void>): Promise<void> {
    await Promise.all(this.#chances.map((chance, process) => client(process, chance)))
  }

  async #operation(process: number, chance: Chance): Promise<void> {
    const [intent, wanted] = drawOperation(chance, this.#keys, (key) => this.#open.has(key))
    this.#begin(intent)
    const isNew = intent === 'charge' && wanted.key !== undefined
    if (isNew) this.#open.set(wanted.key, wanted)
    const invoked = nowMicros()
    if (!(await this.#ask(process, wanted, chance, MOST_ATTEMPTS)) || !isNew) return
    this.#open.delete(wanted.key)
    this.tally.charged(invoked, nowMicros())
  }

  #begin(intent: Intent): void {
    this.tally.intents[intent] += 1
    const { operations } = this.tally
    if (this.#waiting.length === 0) return
    for (const each of this.#waiting) if (this.over || each.operations <= operations) each.reached()
    this.#waiting = this.#waiting.filter((each) => !this.over && each.operations > operations)
  }

  /** Asks at one instance after the other, much as k6/lib/charge.js does, until the answer settles it; false if none did. */
  async #ask(process: number, wanted: Wanted, chance: Chance, attempts: number): Promise<boolean> {
    const count = this.#connections[process]?.length ?? 1
    const first = chance.whole(0, count - 1)
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      if (attempt > 0) this.tally.retries += 1
      const answer = await this.#send(process, (first + attempt) % count, wanted)
      if (answer && answer.status < 500 && answer.status !== 409) return true
      const pauseMs = chance.unit() * Math.min(100 * 2 ** attempt, LONGEST_PAUSE_MS)
      if (attempt < attempts - 1) await setTimeout(answer?.retryAfterMs ? answer.retryAfterMs * chance.unit() : pauseMs)
    }
    return false
  }

  /** One request, written down as one line. */
  async #send(process: number, instance: number, wanted: Wanted): Promise<HttpAnswer | undefined> {
    const { user, key, amount } = wanted
    const connection = this.#connections[process]?.[instance] as Connection
    const path = `/api/users/${user}/balance`
    const invoked = nowMicros()
    let answer: HttpAnswer | undefined
    let outcome: Outcome = 'unknown'
    try {
      answer = await (key === undefined
        ? connection.send('GET', path, '', DEADLINE_MS)
        : connection.send('POST', `${path}/charge`, JSON.stringify({ amount, idempotencyKey: key }), DEADLINE_MS))
      outcome = answer.status === 200 ? 'ok' : answer.status < 500 ? 'fail' : 'unknown'
    } catch (error) {
      if (error instanceof NotSentError) outcome = 'fail'
    }
    // A read that was not answered has done nothing.
    if (key === undefined && outcome === 'unknown') outcome = 'fail'
    const status = answer && { status: answer.status }
    this.tally.answered(outcome, answer?.status)
    const line = { process, instance, user, invoked, answered: nowMicros(), outcome, ...status }
    const text = outcome === 'ok' ? answer?.text : undefined
    if (key === undefined)
      this.#recorder.write({ kind: 'balance', ...line, ...(text && { balance: JSON.parse(text).balance }) })
    else this.#recorder.write({ kind: 'charge', ...line, key, amount, ...(text && { answer: text }) })
    return answer
  }
}
