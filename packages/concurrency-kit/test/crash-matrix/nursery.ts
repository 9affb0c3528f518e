/** Starts what takes its time ahead, so that one is ready when it is asked for. */
export class Nursery<Seat> {
  readonly #start: () => Promise<Seat>
  readonly #ahead: Promise<Seat>[]

  constructor(size: number, start: () => Promise<Seat>) {
    this.#start = start
    this.#ahead = Array.from({ length: size }, start)
  }

  async next(): Promise<Seat> {
    this.#ahead.push(this.#start())
    return (await this.#ahead.shift()) as Seat
  }

  /** Whoever was started and not asked for. */
  left(): Promise<Seat[]> {
    return Promise.all(this.#ahead.splice(0))
  }
}
