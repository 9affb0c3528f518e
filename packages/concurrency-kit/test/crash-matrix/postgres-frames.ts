import type { Frames, Reply, Request } from './wire.ts'

/**
 * The messages of Postgres' protocol: a statement is a Query, or all up to a Sync; an answer is all up to ReadyForQuery.
 *
 * @see https://www.postgresql.org/docs/current/protocol-flow.html
 */
export class PostgresFrames implements Frames {
  backend: string | undefined
  readonly #prepared = new Map<string, string>()
  #sent: Buffer = Buffer.alloc(0)
  #batch: Buffer[] = []
  #text = ''
  #started = false
  #answered: Buffer = Buffer.alloc(0)
  #answer: Buffer[] = []
  #ready = false

  requests(data: Buffer): Request[] {
    this.#sent = Buffer.concat([this.#sent, data])
    const requests: Request[] = []
    for (;;) {
      // Only the first message has no letter in front.
      const at = this.#started ? 1 : 0
      if (this.#sent.length < at + 4) return requests
      const end = at + this.#sent.readInt32BE(at)
      if (this.#sent.length < end) return requests
      const message = this.#sent.subarray(0, end)
      this.#sent = this.#sent.subarray(end)
      if (!this.#started) {
        this.#started = true
        requests.push({ data: message, text: 'connect' })
        continue
      }
      const kind = String.fromCharCode(message[0] as number)
      // A password, or the goodbye.
      if (kind === 'p' || kind === 'X') {
        requests.push({ data: message })
        continue
      }
      this.#batch.push(message)
      this.#read(kind, message.subarray(5).toString('latin1').split('\0'))
      if (kind !== 'Q' && kind !== 'S') continue
      requests.push({ data: Buffer.concat(this.#batch), text: this.#text })
      this.#batch = []
      this.#text = ''
    }
  }

  replies(data: Buffer): Reply[] {
    this.#answered = Buffer.concat([this.#answered, data])
    const replies: Reply[] = []
    for (;;) {
      if (this.#answered.length < 5) break
      const end = 1 + this.#answered.readInt32BE(1)
      if (this.#answered.length < end) break
      const message = this.#answered.subarray(0, end)
      this.#answered = this.#answered.subarray(end)
      const kind = String.fromCharCode(message[0] as number)
      if (kind === 'K') this.backend = String(message.readInt32BE(5))
      this.#answer.push(message)
      if (kind === 'Z') {
        this.#ready = true
        replies.push({ data: Buffer.concat(this.#answer), ends: true })
        this.#answer = []
      } else if (kind === 'E' && message.includes('FATAL')) {
        replies.push({ data: Buffer.concat(this.#answer), ends: false })
        this.#answer = []
      }
    }
    // Before it is ready the server may ask for a password, and wait.
    if (!this.#ready && this.#answer.length > 0) {
      replies.push({ data: Buffer.concat(this.#answer), ends: false })
      this.#answer = []
    }
    return replies
  }

  #read(kind: string, [first = '', second = '']: readonly string[]): void {
    if (kind === 'Q') this.#text = first
    if (kind === 'P') {
      this.#prepared.set(first, second)
      this.#text ||= second
    }
    if (kind === 'B') this.#text ||= this.#prepared.get(second) ?? second
  }
}
