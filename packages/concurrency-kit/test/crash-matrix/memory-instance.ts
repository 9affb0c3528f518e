import type { LeasedIdempotencyStore } from '../../src/idempotency/idempotency-store.ts'
import { asAnotherProcess } from '../support/processes.ts'
import { type Instance, type Opening, type Order, type Outcome, outcomeOf, type Provider } from './charge.ts'
import { leasedCharge } from './charges.ts'
import { Cuttable, type Heard, type Moment, Points } from './points.ts'

const never = new Promise<never>(() => {})

/** What another process would be to a store in memory: an object of its own, whose calls may get lost both ways. */
export class MemoryInstance implements Instance {
  readonly died: Promise<void>
  readonly #store: LeasedIdempotencyStore
  readonly #provider: Provider
  readonly #points: Points
  #charge: ((order: Order) => Promise<Outcome>) | undefined
  #dead = false
  #die = () => {}
  #frozen = Promise.resolve()

  constructor(store: LeasedIdempotencyStore, provider: Provider, points = new Points()) {
    this.#store = store
    this.#provider = provider
    this.#points = points
    this.died = new Promise((resolve) => {
      this.#die = resolve
    })
  }

  async open({ onAmbiguous = 'refuse' }: Opening): Promise<void> {
    const store = this.#store
    const over =
      <Request, Answer>(verb: string, command: (request: Request) => Promise<Answer>) =>
      (request: Request) =>
        this.#line(verb, () => command(request))
    const faulty = asAnotherProcess(store, {
      find: over('find', (request) => store.find(request)),
      claim: over('claim', (request) => store.claim(request)),
      renew: over('renew', (request) => store.renew(request)),
      complete: over('complete', (request) => store.complete(request)),
      abandon: over('abandon', (request) => store.abandon(request)),
    })
    const charge = leasedCharge(faulty, onAmbiguous, this.#provider)
    const died = this.died.then((): Outcome => ({ status: 'died' }))
    this.#charge = (order) => Promise.race([died, outcomeOf(charge(order))])
  }

  async charge(order: Order): Promise<Outcome> {
    return this.#charge?.(order) ?? { status: 'died' }
  }

  async heard(): Promise<readonly Heard[]> {
    return this.#points.heard
  }

  async arm(): Promise<void> {}

  async close(): Promise<void> {}

  freeze(): void {
    this.#frozen = new Promise((resolve) => {
      this.thaw = resolve
    })
  }

  thaw = () => {}

  async kill(): Promise<void> {
    this.#dead = true
    this.#die()
  }

  async #line<Answer>(verb: string, command: () => Promise<Answer>): Promise<Answer> {
    await this.#frozen
    if (this.#dead) return never
    const statement = this.#points.next(verb)
    const crossing = new Cuttable()
    const at = async (moment: Moment) => {
      await this.#points.at(statement, moment, crossing)
      if (this.#dead) await never
      if (crossing.isCut) throw new Error('the connection was cut')
    }
    await at('before')
    const answer = await command()
    await at('done')
    await this.#points.at(statement, 'after', crossing)
    return this.#dead ? never : answer
  }
}
