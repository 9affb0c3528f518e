import { StoreError } from '../../../errors.ts'
import { ask } from '../../../store-command.ts'
import type { Clock } from '../../../time/clock.ts'

/** A node's client, as redlock calls it: for a promise (5), or with a callback (4.2). */
export interface RedlockNode {
  evalsha(...args: never[]): unknown
  eval(...args: never[]): unknown
  /** What ioredis was told, for the node's name in errors. */
  readonly options?: object
}

export interface BallotOptions {
  readonly clock: Clock
  /** A node that has not voted after so many ms has failed. */
  readonly limitMs: number
  /**
   * Told when a node that voted for cannot be made to take it back. Without it nobody may try: redlock 4.2 would give a
   * lease back whose extension failed once, while its holder still trusts it.
   */
  readonly onLeftBehind?: (error: StoreError) => void
}

/** Undefined while it is out. */
type Vote = 'for' | 'against' | StoreError | undefined

export function isFailure(vote: Vote): vote is StoreError {
  return typeof vote === 'object'
}

interface Voter {
  readonly node: RedlockNode
  readonly name: string
  asked: boolean
  vote: Vote
  readonly voted: PromiseWithResolvers<void>
}

type Callback = (error: unknown, reply?: unknown) => void

/**
 * The votes of one call to redlock, node by node.
 *
 * Redlock itself says only that there was no majority (4.2), or says more once every node has answered (5). Here each
 * node has a name, and a deadline of its own: one that hangs holds up neither the vote nor the undoing of it.
 */
export class Ballot {
  readonly #voters: readonly Voter[]
  readonly #options: BallotOptions

  constructor(nodes: readonly RedlockNode[], options: BallotOptions) {
    this.#options = options
    this.#voters = nodes.map((node, index) => ({
      node,
      name: nameOf(node, index),
      asked: false,
      vote: undefined,
      voted: Promise.withResolvers<void>(),
    }))
  }

  /** To be handed to redlock in place of the nodes' clients. */
  get booths(): readonly object[] {
    return this.#voters.map((voter) => ({
      evalsha: (...args: unknown[]) => this.#send(voter, 'evalsha', args),
      eval: (...args: unknown[]) => this.#send(voter, 'eval', args),
    }))
  }

  get begun(): boolean {
    return this.#voters.some(({ asked }) => asked)
  }

  get won(): boolean {
    return this.#count((vote) => vote === 'for') >= this.#majority
  }

  /** A node that voted against, and can therefore be asked what the key holds. */
  get opponent(): RedlockNode | undefined {
    return this.#voters.find(({ vote }) => vote === 'against')?.node
  }

  /** The nodes that have what was voted for; one that failed still has what it granted `before`. */
  grantedBy(before: ReadonlySet<RedlockNode>): Set<RedlockNode> {
    const granted = this.#voters.filter(({ node, vote }) => vote === 'for' || (isFailure(vote) && before.has(node)))
    return new Set(granted.map(({ node }) => node))
  }

  /**
   * Whether so many votes are as `kind` says that the others are no majority. Waits for the votes that are still out if
   * they could make it so.
   */
  async isBlockedBy(kind: (vote: Vote, node: RedlockNode) => boolean): Promise<boolean> {
    const enough = this.#voters.length - this.#majority + 1
    const count = this.#count(kind)
    if (count < enough && count + this.#count((vote) => vote === undefined) >= enough)
      await Promise.all(this.#voters.map(({ voted }) => voted.promise))
    return this.#count(kind) >= enough
  }

  /** What to throw where the nodes that failed are to blame: `cause` has an error a node, with its name and its reason. */
  failure(what: string): StoreError {
    const errors = this.#voters.map(({ vote }) => vote).filter(isFailure)
    const why = errors.map((error) => error.message).join('; ')
    return new StoreError(`${what}: ${errors.length} of ${this.#voters.length} nodes failed: ${why}`, {
      cause: new AggregateError(errors, why),
    })
  }

  get #majority(): number {
    return Math.floor(this.#voters.length / 2) + 1
  }

  #count(kind: (vote: Vote, node: RedlockNode) => boolean): number {
    return this.#voters.filter(({ vote, node }) => kind(vote, node)).length
  }

  #send(voter: Voter, command: 'evalsha' | 'eval', args: unknown[]): Promise<unknown> | undefined {
    const callback = typeof args.at(-1) === 'function' ? (args.pop() as Callback) : undefined
    const reply = this.#ask(voter, command, args)
    if (callback === undefined) return reply
    // What the callback returns is a promise of redlock's own, which nobody is to wait for.
    reply.then(
      (value) => void callback(null, value),
      (error: unknown) => void callback(error),
    )
    return undefined
  }

  async #ask(voter: Voter, command: 'evalsha' | 'eval', args: unknown[]): Promise<unknown> {
    const { clock, limitMs, onLeftBehind } = this.#options
    if (command === 'evalsha' && voter.asked) {
      if (onLeftBehind === undefined) throw new Error('the vote stands')
      // A grant that is still under way, as a whole script after NOSCRIPT, would come after its own undoing.
      await voter.voted.promise
    }
    voter.asked = true
    try {
      const reply = await ask(voter.name, limitMs, clock, () => Reflect.apply(voter.node[command], voter.node, args))
      cast(voter, reply === 1 ? 'for' : 'against')
      return reply
    } catch (thrown) {
      const error = thrown as StoreError
      const reason = error.cause instanceof Error ? error.cause : error
      // Redlock sends the whole script after this one.
      if (reason.message.startsWith('NOSCRIPT')) throw reason
      const named = reason === error ? error : new StoreError(`${error.message}: ${reason.message}`, { cause: reason })
      if (voter.vote === 'for') onLeftBehind?.(named)
      cast(voter, named)
      throw reason
    }
  }
}

/** A node's first answer is its vote; what it is sent afterwards takes the vote back. */
function cast(voter: Voter, vote: Vote): void {
  voter.vote ??= vote
  voter.voted.resolve()
}

function nameOf({ options = {} }: RedlockNode, index: number): string {
  const { path, host, port } = options as { path?: unknown; host?: unknown; port?: unknown }
  if (typeof path === 'string') return path
  return typeof host === 'string' ? `${host}:${String(port)}` : `node ${index + 1}`
}
