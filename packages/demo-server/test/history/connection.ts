import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface HttpAnswer {
  readonly status: number
  readonly retryAfterMs: number
  readonly text: string
}

/** No connection was had: the server knows nothing of the request. */
export class NotSentError extends Error {}

const HEAD_END = '\r\n\r\n'

/** HTTP to one server over one connection, one request at a time: a tenth of what `fetch` costs the machine under test. */
export class Connection {
  readonly #port: number
  #socket: Socket | undefined
  #waiting: { resolve(answer: HttpAnswer): void; reject(error: Error): void } | undefined
  #received = ''

  constructor(port: number) {
    this.#port = port
  }

  /** Rejects when nothing was answered within `deadlineMs`; the connection is given up then. */
  async send(method: 'GET' | 'POST', path: string, body: string, deadlineMs: number): Promise<HttpAnswer> {
    const late = setTimeout(() => this.cut(), deadlineMs)
    try {
      const socket = this.#socket ?? (await this.#open())
      const head = `${method} ${path} HTTP/1.1\r\nhost: localhost\r\n`
      const entity = body && `content-type: application/json\r\ncontent-length: ${body.length}\r\n`
      return await new Promise((resolve, reject) => {
        this.#waiting = { resolve, reject }
        socket.write(`${head}${entity}\r\n${body}`)
      })
    } finally {
      clearTimeout(late)
    }
  }

  /** Hangs up, in the middle of whatever is going on. */
  cut(): void {
    this.#socket?.destroy()
  }

  async #open(): Promise<Socket> {
    const socket = connect(this.#port, '127.0.0.1')
    this.#socket = socket
    socket.setNoDelay(true).setEncoding('utf8')
    this.#received = ''
    socket.on('data', (data) => this.#take(String(data)))
    socket.on('error', () => {})
    socket.on('close', () => {
      if (this.#socket === socket) this.#socket = undefined
      this.#settle()?.reject(new Error('the connection broke'))
    })
    try {
      await Promise.race([
        once(socket, 'connect'),
        once(socket, 'close').then(() => Promise.reject(new Error('closed'))),
      ])
    } catch (cause) {
      throw new NotSentError(`port ${this.#port} takes no connection`, { cause })
    }
    return socket
  }

  #take(data: string): void {
    this.#received += data
    const head = this.#received.indexOf(HEAD_END)
    if (head < 0) return
    const headers = this.#received.slice(0, head).toLowerCase()
    const length = Number(/\ncontent-length: *(\d+)/.exec(headers)?.[1] ?? 0)
    const rest = Buffer.from(this.#received.slice(head + HEAD_END.length))
    if (rest.length < length) return
    this.#received = ''
    if (/\nconnection: *close/.test(headers)) this.#socket?.end()
    const retryAfterMs = Number(/\nretry-after: *(\d+)/.exec(headers)?.[1] ?? 0) * 1_000
    this.#settle()?.resolve({ status: Number(headers.slice(9, 12)), retryAfterMs, text: rest.toString() })
  }

  #settle() {
    const waiting = this.#waiting
    this.#waiting = undefined
    return waiting
  }
}
