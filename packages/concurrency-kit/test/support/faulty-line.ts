import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

export type Direction = 'request' | 'reply'

/**
 * What happens to a piece of data on its way: `cut` drops it and hangs up on both sides; `halve` lets half of it through
 * and hangs up; `duplicate` sends it twice; `swallow` takes it and all behind it, and leaves the connection up; a number delays it and all
 * behind it by so many ms.
 */
export type LineFault = 'cut' | 'halve' | 'duplicate' | 'swallow' | number

interface Trap {
  readonly direction: Direction
  readonly matches: (data: Buffer) => boolean
  readonly fault: LineFault
  readonly sprung: () => void
}

/** A TCP line to a server on 127.0.0.1, on which a test lets things go wrong. */
export class FaultyLine {
  readonly port: number
  /** Where new connections go; may be changed when the server has moved. */
  targetPort: number
  readonly #server: Server
  readonly #pairs = new Set<readonly [Socket, Socket]>()
  #traps: Trap[] = []
  #delayMs = 0
  #stalled = false
  #refusing = false

  private constructor(server: Server, targetPort: number) {
    this.#server = server
    this.targetPort = targetPort
    this.port = (server.address() as { port: number }).port
    server.on('connection', (client) => this.#join(client))
  }

  static async to(targetPort: number): Promise<FaultyLine> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new FaultyLine(server, targetPort)
  }

  /** `url` with this line in between. */
  through(url: string): string {
    const through = new URL(url)
    through.hostname = '127.0.0.1'
    through.port = String(this.port)
    return through.href
  }

  get connections(): number {
    return this.#pairs.size
  }

  /** The next data of `direction` that has `text` in it meets `fault`, once; resolves when it has. */
  next(direction: Direction, text: string, fault: LineFault): Promise<void> {
    return new Promise((sprung) => {
      this.#traps.push({ direction, fault, sprung, matches: (data) => data.includes(text) })
    })
  }

  /** The reply to the next request that has `text` in it meets `fault`: the server has done what it was asked. */
  async nextReplyTo(text: string, fault: LineFault): Promise<void> {
    await new Promise<void>((sprung) => {
      this.#traps.push({ direction: 'request', fault: 0, sprung, matches: (data) => data.includes(text) })
    })
    return this.next('reply', '', fault)
  }

  /** Takes away the traps that have not sprung. */
  clear(): void {
    this.#traps = []
  }

  /** From now on everything takes so many ms longer, each way. */
  delay(ms: number): void {
    this.#delayMs = ms
  }

  /** Nothing gets through and nothing is lost, until {@link FaultyLine.resume}: a line that hangs. */
  stall(): void {
    this.#stalled = true
    for (const pair of this.#pairs) for (const socket of pair) socket.pause()
  }

  /** Who is connected now hangs until {@link FaultyLine.resume}, and neither side hears of the other's end; new ones get through. */
  halfOpen(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.pause()
  }

  resume(): void {
    this.#stalled = false
    for (const pair of this.#pairs) for (const socket of pair) socket.resume()
  }

  /** Hangs up on everybody; new connections are taken, unless {@link FaultyLine.refuse} says otherwise. */
  cutAll(): void {
    for (const [client, server] of this.#pairs) {
      client.destroy()
      server.destroy()
    }
  }

  /** Whether new connections are hung up on at once. */
  refuse(refusing: boolean): void {
    this.#refusing = refusing
  }

  async close(): Promise<void> {
    this.#server.close()
    this.cutAll()
    await once(this.#server, 'close')
  }

  #join(client: Socket): void {
    if (this.#refusing) {
      client.destroy()
      return
    }
    const server = connect(this.targetPort, '127.0.0.1')
    const pair = [client, server] as const
    this.#pairs.add(pair)
    const hangUp = () => {
      this.#pairs.delete(pair)
      client.destroy()
      server.destroy()
    }
    this.#carry('request', client, server, hangUp)
    this.#carry('reply', server, client, hangUp)
    if (this.#stalled) for (const socket of pair) socket.pause()
  }

  #carry(direction: Direction, from: Socket, to: Socket, hangUp: () => void): void {
    // What was delayed keeps its order.
    let line = Promise.resolve()
    let underWay = 0
    let swallowing = false
    from.setNoDelay(true)
    from.on('data', (data) => {
      const fault = this.#faultFor(direction, data)
      if (fault === 'cut') return hangUp()
      swallowing ||= fault === 'swallow'
      if (swallowing) return
      const delayMs = this.#delayMs + (typeof fault === 'number' ? fault : 0)
      const send = () => {
        if (to.destroyed) return
        if (fault === 'halve') return to.end(data.subarray(0, Math.ceil(data.length / 2)), hangUp)
        to.write(data)
        if (fault === 'duplicate') to.write(data)
      }
      if (delayMs === 0 && underWay === 0) return send()
      underWay += 1
      const due = new Promise((resolve) => setTimeout(resolve, delayMs))
      line = line.then(async () => {
        await due
        underWay -= 1
        send()
      })
    })
    from.on('error', hangUp)
    from.on('close', hangUp)
  }

  #faultFor(direction: Direction, data: Buffer): LineFault {
    const trap = this.#traps.find((candidate) => candidate.direction === direction && candidate.matches(data))
    if (trap === undefined) return 0
    this.#traps = this.#traps.filter((candidate) => candidate !== trap)
    trap.sprung()
    return trap.fault
  }
}
