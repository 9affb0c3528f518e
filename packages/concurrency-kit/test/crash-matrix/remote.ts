/** Either end of a line between two processes: what `process` and `ChildProcess` have in common. */
interface End {
  send?: ((message: Message, done: (error: unknown) => void) => unknown) | undefined
  on(event: 'message', listener: (message: unknown) => void): unknown
}

type Message =
  | { readonly ask: number; readonly verb: string; readonly given: unknown }
  | { readonly told: number; readonly value?: unknown; readonly error?: string }

export type Verbs = Readonly<Record<string, (given: never) => unknown>>

/** Calls the verbs of the process at the other end, and answers what it calls. */
export class Remote {
  readonly #end: End
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: unknown): void }>()
  #asked = 0
  #ended: Error | undefined

  constructor(end: End, verbs: Verbs) {
    this.#end = end
    end.on('message', (received) => {
      const message = received as Message
      if ('ask' in message) void this.#answer(message.ask, async () => verbs[message.verb]?.(message.given as never))
      else this.#settle(message)
    })
  }

  call<Value>(verb: string, given?: unknown): Promise<Value> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended)
    const ask = this.#asked++
    return new Promise<Value>((resolve, reject) => {
      this.#waiting.set(ask, { resolve: resolve as (value: unknown) => void, reject })
      this.#send({ ask, verb, given })
    })
  }

  /** For an end that is gone: nobody is answered any more. */
  end(error: Error): void {
    this.#ended = error
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }

  async #answer(told: number, run: () => Promise<unknown>): Promise<void> {
    try {
      this.#send({ told, value: await run() })
    } catch (error) {
      this.#send({ told, error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
  }

  #settle(message: Extract<Message, { told: number }>): void {
    const waiting = this.#waiting.get(message.told)
    this.#waiting.delete(message.told)
    if (message.error === undefined) waiting?.resolve(message.value)
    else waiting?.reject(new Error(message.error))
  }

  /** Whoever is gone does not hear it. */
  #send(message: Message): void {
    this.#end.send?.(message, () => {})
  }
}
