import { endLeases } from '../../src/lock/lock-engine.ts'
import type {
  AcquireRequest,
  AcquireResult,
  ExtendRequest,
  HandOffBound,
  LockStore,
  ReleaseRequest,
} from '../../src/lock/lock-store.ts'
import type { Grant } from './grant.ts'
import type { Network } from './network.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import type { SimulatedServer } from './simulated-server.ts'
import type { World } from './world.ts'

export interface RemoteStoreOptions {
  readonly world: World
  readonly network: Network
  readonly server: SimulatedServer
  readonly commandMs: number
  readonly handOff: HandOffBound
  readonly acquiresOnce: boolean
  /** Whether anything may go wrong with its commands. */
  readonly mayFail: boolean
}

/** The store as one process has it: a client whose commands go over the network. */
export class RemoteLockStore implements LockStore<true> {
  readonly name: string
  readonly fencing = true
  readonly acquiresOnce: boolean
  readonly environment: SimulatedProcess
  readonly commandMs: number
  readonly handOff: HandOffBound
  closed = false
  readonly mayFail: boolean
  readonly grants: Grant[] = []
  readonly watchers = new Map<string, Set<() => void>>()
  /** The names under which this process has waited. */
  readonly places = new Set<string | undefined>()
  #connection = 1
  readonly #released = new Set<string>()
  readonly #world: World
  readonly #network: Network
  readonly #server: SimulatedServer

  constructor(process: SimulatedProcess, options: RemoteStoreOptions) {
    const { world, network, server, commandMs, handOff, acquiresOnce, mayFail } = options
    this.name = process.name
    this.environment = process
    this.commandMs = commandMs
    this.handOff = handOff
    this.acquiresOnce = acquiresOnce
    this.mayFail = mayFail
    this.#world = world
    this.#network = network
    this.#server = server
  }

  tryAcquire(request: AcquireRequest): Promise<AcquireResult> {
    const { key, holder, ttlMs, tokens, waiter, onLost = () => {} } = request
    this.places.add(waiter)
    const sentAtMs = this.environment.clock.monotonicMs()
    return this.#send(
      `acquire ${key} ${holder} ttl ${ttlMs} tokens ${tokens}`,
      (server) => server.tryAcquire(request),
      (answer) => {
        if (!answer.acquired) return this.#isOver(holder)
        const { firstToken = 0n, tokens: granted = 1 } = answer
        const arrivedAtMs = this.#world.nowMs
        const grant = { key, holder, ttlMs, firstToken, tokens: granted, sentAtMs, arrivedAtMs, onLost }
        this.grants.push({ ...grant, sections: 0, over: false })
      },
    )
  }

  extend(request: ExtendRequest): Promise<boolean> {
    if (this.#released.has(request.holder))
      this.#world.violated('nothing goes on after the end', `${request.holder} is extended after its release`)
    return this.#send(`extend ${request.key} ${request.holder}`, (server) => server.extend(request))
  }

  release(request: ReleaseRequest): Promise<boolean> {
    this.#isOver(request.holder)
    this.#released.add(request.holder)
    return this.#send(`release ${request.key} ${request.holder}`, (server) => server.release(request))
  }

  watch(key: string, mayBeFree: () => void): () => void {
    const watchers = this.watchers.get(key) ?? new Set()
    this.watchers.set(key, watchers.add(mayBeFree))
    void this.#send(`watch ${key}`, () => true).then(
      () => this.hear(key),
      () => {},
    )
    return () => watchers.delete(mayBeFree)
  }

  hear(key: string): void {
    for (const mayBeFree of this.watchers.get(key) ?? []) mayBeFree()
  }

  /** As a store whose locks are bound to a connection learns that its server has forgotten them. */
  connectionLost(): void {
    this.#connection += 1
    const { ledger } = this.#server
    for (const { holder, over, onLost } of this.grants) {
      if (over || ledger.doubtfulSince(holder) === undefined) continue
      onLost(new Error('connection lost'))
      ledger.told(holder)
    }
  }

  close(): Promise<void> {
    this.closed = true
    return endLeases(this)
  }

  #isOver(holder: string): void {
    for (const grant of this.grants) if (grant.holder === holder) grant.over = true
  }

  /** The first reply counts; where a message is lost nobody is told. */
  #send<Answer>(
    what: string,
    command: (server: SimulatedServer) => Answer,
    onAnswer: (answer: Answer) => void = () => {},
  ): Promise<Answer> {
    const { name } = this
    const connection = this.#connection
    return new Promise((resolve, reject) => {
      let answered = false
      const reply = (text: string, settle: () => void) =>
        this.#network.send('store', name, text, this.environment, () => {
          if (answered) return
          answered = true
          if (connection === this.#connection) settle()
          else reject(new Error('connection lost'))
        })
      this.#network.send(name, 'store', what, this.#server, () => {
        if (this.#server.down) return reply(`${what}: refused`, () => reject(new Error('connection refused')))
        const answer = command(this.#server)
        reply(`${what}: ${shown(answer)}`, () => {
          onAnswer(answer)
          resolve(answer)
        })
      })
    })
  }
}

function shown(answer: unknown): string {
  return JSON.stringify(answer, (_, value) => (typeof value === 'bigint' ? String(value) : value))
}
