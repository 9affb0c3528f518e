import type { World } from './world.ts'

/** Whoever messages come to. */
export interface Endpoint {
  readonly name: string
  enter(run: () => void): void
}

export interface Weather {
  readonly latencyMs: readonly [from: number, to: number]
  readonly lost: number
  readonly twice: number
  /** How often a message takes up to `slowMs`, so that later ones overtake it. */
  readonly slow: number
  readonly slowMs: number
}

export const FAIR: Weather = { latencyMs: [0.05, 1], lost: 0, twice: 0, slow: 0, slowMs: 0 }

/** Carries messages: late, out of order, twice or not at all. */
export class Network {
  weather: Weather = FAIR
  /** How many messages are under way. */
  underWay = 0
  readonly #world: World
  readonly #cut = new Set<string>()

  constructor(world: World) {
    this.#world = world
  }

  cut(from: string, to: string): void {
    this.#cut.add(`${from} → ${to}`)
  }

  mend(from: string, to: string): void {
    this.#cut.delete(`${from} → ${to}`)
  }

  /** `from` and `to` are names of machines; each copy that arrives calls `deliver` in `endpoint`. */
  send(from: string, to: string, what: string, endpoint: Endpoint, deliver: () => void): void {
    const { chance } = this.#world
    const line = `${from} → ${to}`
    if (this.#cut.has(line) || chance.happens(this.weather.lost)) {
      this.#world.note(`${line}  ${what}  (lost)`)
      return
    }
    this.#carry(line, what, endpoint, deliver)
    if (chance.happens(this.weather.twice)) this.#carry(line, `${what}  (again)`, endpoint, deliver)
  }

  #carry(line: string, what: string, endpoint: Endpoint, deliver: () => void): void {
    const { chance } = this.#world
    const { latencyMs, slow, slowMs } = this.weather
    const ms = chance.happens(slow) ? chance.between(0, slowMs) : chance.between(...latencyMs)
    this.#world.note(`${line}  ${what}  (${ms.toFixed(2)} ms)`)
    this.underWay += 1
    this.#world.after(
      ms,
      () => {
        this.underWay -= 1
        endpoint.enter(deliver)
      },
      endpoint,
    )
  }
}
