import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Crossing, Moment, Points } from './points.ts'

/** A piece of what is sent that goes on as a whole: a statement, where it has a text. */
export interface Request {
  readonly data: Buffer
  readonly text?: string
}

/** A piece of what is answered; one that `ends` is the last of the oldest unanswered statement's. */
export interface Reply {
  readonly data: Buffer
  readonly ends: boolean
}

/** Knows the boundaries of the messages on one connection. */
export interface Frames {
  requests(data: Buffer): Request[]
  replies(data: Buffer): Reply[]
  /** By which the server knows the connection. */
  readonly backend: string | undefined
}

export interface WireOptions {
  readonly port: number
  readonly points: Points
  frames(): Frames
  /** Ends the server's side of a connection; `gone`: not before that has happened. */
  terminate(backend: string, gone: boolean): Promise<boolean>
}

/** A line to a server on 127.0.0.1 that counts statements and answers, and lets things happen before and after each. */
export class Wire {
  readonly port: number
  readonly #server: Server
  readonly #connections = new Set<WireCrossing>()

  private constructor(server: Server, options: WireOptions) {
    this.#server = server
    this.port = (server.address() as { port: number }).port
    server.on('connection', (client) => {
      const crossing = new WireCrossing(client, connect(options.port, '127.0.0.1'), options)
      this.#connections.add(crossing)
      client.on('close', () => this.#connections.delete(crossing))
    })
  }

  static async to(options: WireOptions): Promise<Wire> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new Wire(server, options)
  }

  cutAll(): void {
    for (const connection of this.#connections) connection.cut('before')
  }

  async close(): Promise<void> {
    this.#server.close()
    this.cutAll()
    await once(this.#server, 'close')
  }
}

class WireCrossing implements Crossing {
  readonly #client: Socket
  readonly #server: Socket
  readonly #frames: Frames
  readonly #options: WireOptions
  readonly #unanswered: number[] = []
  #requests = Promise.resolve()
  #replies = Promise.resolve()
  #deaf = false

  constructor(client: Socket, server: Socket, options: WireOptions) {
    this.#client = client
    this.#server = server
    this.#options = options
    this.#frames = options.frames()
    client.setNoDelay(true)
    server.setNoDelay(true)
    client.on('data', (data) => {
      for (const request of this.#frames.requests(data))
        this.#requests = this.#requests.then(() => this.#request(request))
    })
    server.on('data', (data) => {
      for (const reply of this.#frames.replies(data)) this.#replies = this.#replies.then(() => this.#reply(reply))
    })
    client.on('error', () => {})
    server.on('error', () => {})
    // What was sent before the end still arrives, however late.
    client.on('close', () => void this.#requests.then(() => server.end()))
    server.on('close', () => void this.#replies.then(() => client.end()))
  }

  cut(moment: Moment): void {
    this.#deaf = true
    // A reset would take what was sent away again.
    if (moment === 'sent') this.#server.end()
    else this.#server.destroy()
    if (moment === 'after') this.#client.destroySoon()
    else this.#client.destroy()
  }

  swallow(): void {
    this.#deaf = true
  }

  async terminate(moment: Moment): Promise<boolean> {
    const { backend } = this.#frames
    return backend !== undefined && this.#options.terminate(backend, moment !== 'sent')
  }

  async #request({ data, text }: Request): Promise<void> {
    const { points } = this.#options
    if (this.#deaf) return
    if (text === undefined) return this.#write(this.#server, data)
    const statement = points.next(text)
    await points.at(statement, 'before', this)
    if (this.#deaf) return
    this.#unanswered.push(statement)
    await this.#write(this.#server, data)
    await points.at(statement, 'sent', this)
  }

  async #reply({ data, ends }: Reply): Promise<void> {
    const { points } = this.#options
    const statement = ends ? this.#unanswered.shift() : undefined
    if (this.#deaf) return
    if (statement !== undefined) await points.at(statement, 'done', this)
    if (this.#deaf) return
    await this.#write(this.#client, data)
    if (statement !== undefined) await points.at(statement, 'after', this)
  }

  #write(to: Socket, data: Buffer): Promise<void> {
    return new Promise((resolve) => {
      if (to.destroyed || to.writableEnded) resolve()
      else to.write(data, () => resolve())
    })
  }
}
