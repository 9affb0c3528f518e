import type { Instance } from './charge.ts'
import { type Kind, type Plan, possible } from './plan.ts'
import type { Crossing, Points, Trap } from './points.ts'

/** What happens in one run, once, and when it did. */
export class Fault {
  atMs: number | undefined
  /** Whether something could happen there; false as long as the point has not come. */
  hit: Promise<boolean> | false = false
  commitUnanswered = false
  readonly happened: Promise<void>
  release = () => {}
  readonly #thawed: Promise<void>
  readonly #kind: Kind | undefined
  readonly #victim: Instance
  readonly #points: Points
  #tell = () => {}

  constructor(kind: Kind | undefined, victim: Instance, points: Points) {
    this.#kind = kind
    this.#victim = victim
    this.#points = points
    this.happened = new Promise((resolve) => {
      this.#tell = resolve
    })
    this.#thawed = new Promise((resolve) => {
      this.release = () => {
        if (kind === 'zombie') victim.thaw()
        resolve()
      }
    })
  }

  trap({ kind, statement, place, moment }: Plan): Trap {
    return {
      statement,
      moment,
      fits: (heard) => heard.place === place && possible(kind, moment, heard),
      act: async (crossing) => {
        this.atMs = performance.now()
        this.commitUnanswered = this.#points.commitUnanswered
        this.hit = this.#act(crossing, moment)
        await this.hit
        this.#tell()
        if (this.#kind === 'zombie') await this.#thawed
      },
    }
  }

  async #act(crossing: Crossing, moment: Plan['moment']): Promise<boolean> {
    switch (this.#kind) {
      case 'SIGKILL':
        await this.#victim.kill()
        crossing.cut(moment)
        return true
      case 'cut':
        crossing.cut(moment)
        return true
      case 'swallow':
        crossing.swallow()
        return true
      case 'terminate':
        return crossing.terminate(moment)
      case 'zombie':
        this.#victim.freeze()
        return true
      default:
        return false
    }
  }
}
