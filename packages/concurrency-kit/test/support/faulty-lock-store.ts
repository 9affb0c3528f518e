import { endLeases } from '../../src/lock/lock-engine.ts'
import type {
  AcquireRequest,
  AcquireResult,
  ExtendRequest,
  HandOffBound,
  LockStore,
  ReleaseRequest,
} from '../../src/lock/lock-store.ts'
import { type MemoryLockStoreOptions, memoryLockStore } from '../../src/lock/stores/memory.ts'
import { type Environment, systemEnvironment } from '../../src/time/clock.ts'

type Verb = 'tryAcquire' | 'extend' | 'release'
interface LineOptions {
  readonly name?: string
  readonly commandMs?: number
  /** Of the engine above the line. @defaultValue the store's */
  readonly environment?: Environment
}

/**
 * What happens to a command on its way: `hold` waits for {@link LockStoreOnFaultyLine.letGo}, a function runs when it is
 * done and not yet answered.
 */
export type Fault = 'answer' | 'fail' | 'lose reply' | 'hold' | 'hang' | (() => void)

/** A store behind a bad line: each verb's next commands meet the faults that a test lines up. */
export class LockStoreOnFaultyLine<Fencing extends boolean = boolean> implements LockStore<Fencing> {
  readonly name: string
  readonly fencing: Fencing
  readonly acquiresOnce: boolean
  readonly environment: Environment
  readonly handOff: Partial<HandOffBound>
  readonly commandMs: number
  /** The store behind the line, for rivals. */
  readonly behind: LockStore<Fencing>
  readonly commands: Verb[] = []
  /** Whether it hears no announcement. */
  deaf = false
  readonly #faults: Record<Verb, Fault[]> = { tryAcquire: [], extend: [], release: [] }
  readonly #always: Partial<Record<Verb, Fault>> = {}
  #held: (() => void)[] = []

  constructor(behind: LockStore<Fencing>, { name = behind.name, commandMs = 2_000, environment }: LineOptions = {}) {
    this.behind = behind
    this.name = name
    this.fencing = behind.fencing
    this.acquiresOnce = behind.acquiresOnce ?? false
    this.commandMs = commandMs
    this.environment = environment ?? behind.environment ?? systemEnvironment
    this.handOff = behind.handOff ?? {}
  }

  next(verb: Verb, ...faults: Fault[]): void {
    this.#faults[verb].push(...faults)
  }

  always(verb: Verb, fault: Fault): void {
    this.#always[verb] = fault
  }

  letGo(): void {
    const held = this.#held
    this.#held = []
    for (const go of held) go()
  }

  count(verb: Verb): number {
    return this.commands.filter((command) => command === verb).length
  }

  tryAcquire(request: AcquireRequest): Promise<AcquireResult> {
    return this.#send('tryAcquire', () => this.behind.tryAcquire(request))
  }

  extend(request: ExtendRequest): Promise<boolean> {
    return this.#send('extend', () => this.behind.extend(request))
  }

  release(request: ReleaseRequest): Promise<boolean> {
    return this.#send('release', () => this.behind.release(request))
  }

  watch(key: string, mayBeFree: () => void): () => void {
    return (!this.deaf && this.behind.watch?.(key, mayBeFree)) || (() => {})
  }

  async close(): Promise<void> {
    await endLeases(this)
  }

  async #send<Answer>(verb: Verb, command: () => Answer | PromiseLike<Answer>): Promise<Answer> {
    this.commands.push(verb)
    const fault = this.#faults[verb].shift() ?? this.#always[verb] ?? 'answer'
    if (fault === 'hang') return new Promise<Answer>(() => {})
    if (fault === 'fail') throw new Error('connection refused')
    if (fault === 'hold') await new Promise<void>((resolve) => this.#held.push(resolve))
    const answer = await command()
    if (typeof fault === 'function') fault()
    if (fault === 'lose reply') throw new Error('connection reset')
    return answer
  }
}

/** A memory store on such a line. */
export class FaultyLockStore extends LockStoreOnFaultyLine<true> {
  constructor(options: MemoryLockStoreOptions) {
    super(memoryLockStore(options), { name: 'faulty' })
  }
}
