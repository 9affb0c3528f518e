import type { Frames, Reply, Request } from './wire.ts'

/**
 * The messages of Redis' protocol: a statement is a command, an answer its reply.
 *
 * @see https://redis.io/docs/latest/develop/reference/protocol-spec/
 */
export class RedisFrames implements Frames {
  /** The name that the connection has given itself. */
  backend: string | undefined
  #sent: Buffer = Buffer.alloc(0)
  #answered: Buffer = Buffer.alloc(0)

  requests(data: Buffer): Request[] {
    this.#sent = Buffer.concat([this.#sent, data])
    const requests: Request[] = []
    for (let end = endOf(this.#sent, 0); end !== undefined; end = endOf(this.#sent, 0)) {
      const command = this.#sent.subarray(0, end)
      this.#sent = this.#sent.subarray(end)
      const words = command.toString().split('\r\n')
      const text = words.filter((_, line) => line > 0 && line % 2 === 0)
      if (/^client$/i.test(text[0] ?? '') && /^setname$/i.test(text[1] ?? '')) this.backend = text[2]
      requests.push({ data: command, text: text.slice(0, 4).join(' ') })
    }
    return requests
  }

  replies(data: Buffer): Reply[] {
    this.#answered = Buffer.concat([this.#answered, data])
    const replies: Reply[] = []
    for (let end = endOf(this.#answered, 0); end !== undefined; end = endOf(this.#answered, 0)) {
      replies.push({ data: this.#answered.subarray(0, end), ends: true })
      this.#answered = this.#answered.subarray(end)
    }
    return replies
  }
}

/** Where the value that begins at `start` ends; undefined while not all of it is there. */
function endOf(data: Buffer, start: number): number | undefined {
  const line = data.indexOf('\r\n', start)
  if (line === -1) return undefined
  const kind = String.fromCharCode(data[start] as number)
  const length = Number(data.subarray(start + 1, line).toString())
  let end: number | undefined = line + 2
  if ('$=!'.includes(kind)) {
    if (length >= 0) end += length + 2
    return end <= data.length ? end : undefined
  }
  if (!'*~>%'.includes(kind)) return end
  for (let left = kind === '%' ? 2 * length : length; left > 0 && end !== undefined; left -= 1) end = endOf(data, end)
  return end
}
