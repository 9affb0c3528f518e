import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { LeasedIdempotencyStore } from '../../src/idempotency/idempotency-store.ts'
import { type Crossing, Points } from '../crash-matrix/points.ts'
import { Wire } from '../crash-matrix/wire.ts'
import type { CampaignOptions, Heard, Plan } from './campaign.ts'
import { HttpFrames } from './http-frames.ts'
import { judge } from './judge.ts'
import { LEASE_MS, type Mode, type Outcome, Payer } from './payer.ts'
import { ProviderProcess } from './provider-process.ts'

/** Where records are. */
export interface Records {
  readonly url: string
  /** Of an observer that nothing happens to. */
  readonly store: LeasedIdempotencyStore
  /** The line to them, where there is one. */
  wire(points: Points): Promise<Wire | undefined>
  close(): Promise<unknown>
}

/** @param folder - Gone when all is over. */
export type Place = (folder: string) => Promise<Records>

/** Whoever gets no answer for so long never gets one. */
const STUCK_MS = 45_000

/** A line, and the statements on it. */
interface Line {
  readonly points: Points
  readonly wire: Wire | undefined
}

type Lines = Readonly<Record<'provider' | 'records', Line>>

/** A provider, records, and the lines to both: payers come here to be killed, and others to pay after them. */
export class Street {
  readonly #options: CampaignOptions
  readonly #provider: ProviderProcess
  readonly #records: Records
  readonly #lines: Lines

  private constructor(options: CampaignOptions, provider: ProviderProcess, records: Records, lines: Lines) {
    this.#options = options
    this.#provider = provider
    this.#records = records
    this.#lines = lines
  }

  static async open(options: CampaignOptions): Promise<Street> {
    const provider = new ProviderProcess()
    const [records] = await Promise.all([options.place(provider.folder), provider.up])
    const [toProvider, toRecords] = [new Points(), new Points()]
    const frames = () => new HttpFrames(options.freshKeys)
    const terminate = async () => false
    return new Street(options, provider, records, {
      provider: {
        points: toProvider,
        wire: await Wire.to({ port: provider.port, points: toProvider, frames, terminate }),
      },
      records: { points: toRecords, wire: await records.wire(toRecords) },
    })
  }

  /** What a payment sends when nothing happens to it. */
  async look(): Promise<Heard[]> {
    const file = path.join(this.#provider.folder, 'heard.json')
    const order = randomUUID()
    await this.#vanish(order)
    const outcome = await this.#payer(order, this.#options.mode, { HEARD_IN: file }).outcome
    // A loaded machine may have taken the lease from it.
    if (outcome.status !== 'paid') return this.look()
    const heard = (at: Heard['at'], texts: readonly { readonly text: string }[]) =>
      texts.map(({ text }, statement) => ({ at, text, statement }))
    const { provider, records } = this.#lines
    return [
      ...heard('payer', existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : []),
      ...heard('records', records.points.heard),
      ...heard('provider', provider.points.heard),
    ]
  }

  /** A payment to which `plan` happens, and what its client does then: asks again, and with `refuse` has somebody look. */
  async pay(plan: Plan): Promise<{ readonly hit: boolean; readonly violations: readonly string[] }> {
    const { mode } = this.#options
    const order = randomUUID()
    await this.#vanish(order)
    const { hit, outcome } = await this.#strike(order, plan)
    const outcomes = [outcome]
    const endMs = performance.now() + STUCK_MS
    let last: Outcome
    do {
      last = await this.#payer(order, mode).outcome
      outcomes.push(last)
    } while (last.status === 'told' && !(mode === 'refuse' && refused(last)) && performance.now() < endMs)
    if (refused(last)) outcomes.push(await this.#payer(order, 'probe').outcome)
    const charged = this.#provider.charged(order)
    const record = await this.#records.store.find({ scope: 'payments', key: order })
    return { hit, violations: judge({ charged, outcomes, record: record?.text }) }
  }

  async close(): Promise<void> {
    await Promise.all(Object.values(this.#lines).map(({ wire }) => wire?.close()))
    await this.#records.close()
    await this.#provider.close()
  }

  /** Leaves a claim behind whose owner has charged, and has not heard of it. */
  async #vanish(order: string): Promise<void> {
    if (!this.#options.vanished) return
    const plan: Plan = { victim: 'payer', at: 'provider', statement: 0, moment: 'done', text: '' }
    while (!(await this.#strike(order, plan)).hit);
    // Whoever comes before the lease is over asks for it a number of times that is never the same.
    await setTimeout(LEASE_MS)
  }

  /** One payer, with what happens to it. */
  async #strike(order: string, plan: Plan): Promise<{ readonly hit: boolean; readonly outcome: Outcome }> {
    const { victim, at, statement, moment } = plan
    let struck: Promise<void> | undefined
    const act = async (crossing: Crossing) => {
      struck = (victim === 'payer' ? payer : this.#provider).kill()
      await struck
      crossing.cut(moment)
    }
    if (at !== 'payer') this.#lines[at].points.arm({ statement, moment, fits: () => true, act })
    const preload = at === 'payer' ? { DIE_AT: JSON.stringify({ statement, moment }) } : undefined
    const payer = this.#payer(order, this.#options.mode, preload)
    const outcome = await payer.outcome
    await struck
    await this.#provider.up
    for (const { points } of Object.values(this.#lines)) points.arm()
    return { hit: at === 'payer' ? outcome.status === 'died' : struck !== undefined, outcome }
  }

  #payer(order: string, mode: Mode, preload?: Record<string, string>): Payer {
    const { provider, records } = this.#lines
    const { url } = this.#records
    return new Payer({
      order,
      mode,
      providerPort: provider.wire?.port ?? 0,
      recordsUrl: records.wire === undefined ? url : through(url, records.wire),
      preload: records.wire === undefined ? preload : undefined,
    })
  }
}

/** Whether it is left to a person. */
function refused(outcome: Outcome): boolean {
  return outcome.status === 'told' && /^AMBIGUOUS_OUTCOME.*an earlier run/.test(outcome.what)
}

function through(url: string, wire: Wire): string {
  const over = new URL(url)
  over.hostname = '127.0.0.1'
  over.port = String(wire.port)
  return over.href
}
