import { endLeases } from '../../src/lock/lock-engine.ts'
import type {
  AcquireRequest,
  AcquireResult,
  ExtendRequest,
  LockStore,
  ReleaseRequest,
} from '../../src/lock/lock-store.ts'
import { type MemoryLockStoreOptions, memoryLockStore } from '../../src/lock/stores/memory.ts'

type Verb = 'tryAcquire' | 'extend' | 'release'
/** What happens to a command on its way: `hold` waits for {@link FaultyLockStore.letGo}. */
export type Fault = 'answer' | 'fail' | 'lose reply' | 'hold' | 'hang'

/** A memory store behind a bad line: each verb's next commands meet the faults that a test lines up. */
export class FaultyLockStore implements LockStore<true> {
  readonly name = 'faulty'
  readonly fencing = true
  readonly environment
  readonly handOff
  readonly commandMs = 2_000
  /** The store behind the line, for rivals. */
  readonly behind: LockStore<true>
  readonly commands: Verb[] = []
  readonly #faults: Record<Verb, Fault[]> = { tryAcquire: [], extend: [], release: [] }
  readonly #always: Partial<Record<Verb, Fault>> = {}
  #held: (() => void)[] = []

  constructor(options: MemoryLockStoreOptions) {
    this.behind = memoryLockStore(options)
    this.environment = options.environment as NonNullable<typeof options.environment>
    this.handOff = options.handOff ?? {}
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
    return this.behind.watch?.(key, mayBeFree) ?? (() => {})
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
    if (fault === 'lose reply') throw new Error('connection reset')
    return answer
  }
}
