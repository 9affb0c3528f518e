/**
 * Requests of one round of the event loop, which leave together: those of callers whose answers, or whose own requests,
 * came in the same round. A request that is alone waits for nobody.
 */
export class Gathered<Request> {
  readonly #most: number
  readonly #serve: (requests: readonly [Request, ...Request[]]) => void
  readonly #groups = new Map<string, [Request, ...Request[]]>()

  constructor(most: number, serve: (requests: readonly [Request, ...Request[]]) => void) {
    this.#most = most
    this.#serve = serve
  }

  /** @param group - Only requests of one group go together, and no more than `most`. */
  add(group: string, request: Request): void {
    const gathered = this.#groups.get(group)
    if (gathered !== undefined && gathered.length < this.#most) {
      gathered.push(request)
      return
    }
    const requests: [Request, ...Request[]] = [request]
    this.#groups.set(group, requests)
    setImmediate(() => {
      if (this.#groups.get(group) === requests) this.#groups.delete(group)
      this.#serve(requests)
    })
  }
}
