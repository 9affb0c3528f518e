import { listen, type Signal } from '../../../abort.ts'
import { StoreError } from '../../../errors.ts'
import { takeClient } from '../../../pg/take-client.ts'
import {
  type AdvisoryLockPool,
  type Backend,
  CHANNEL,
  Session,
  type SessionOptions,
  type Statement,
} from './session.ts'

/** What is done to a number: take it, give it back, or see that this connection still has it. */
export type Verb = 'lock' | 'unlock' | 'held'

interface Command {
  readonly number: bigint
  readonly resolve: (done: boolean) => void
  readonly reject: (error: unknown) => void
}

export interface BatchesOptions extends Omit<SessionOptions, 'onLost'> {
  readonly pool: AdvisoryLockPool
  /** The connection is lost, and with it every lock that it had. */
  readonly onLost: (error: StoreError) => void
}

/**
 * The commands of many locks on one connection: whatever has gathered while a statement was under way goes with the next,
 * so that two hundred locks take as long as one.
 */
export class Batches {
  readonly #options: BatchesOptions
  readonly #waiting: Record<Verb, Set<Command>> = { held: new Set(), unlock: new Set(), lock: new Set() }
  #session: Session | undefined
  /** Lost connections that the server may not have missed yet. */
  readonly #ghosts: Backend[] = []
  #pumping: Promise<void> | undefined
  #closed = false

  constructor(options: BatchesOptions) {
    this.#options = options
  }

  /** A command that has not been sent when `signal` aborts is not sent at all. */
  ask(verb: Verb, number: bigint, signal?: Signal): Promise<boolean> {
    if (this.#closed && verb !== 'unlock') return Promise.reject(closedError())
    return new Promise((resolve, reject) => {
      const settled = (settle: (value: never) => void) => (value: unknown) => {
        stopListening()
        settle(value as never)
      }
      const command: Command = { number, resolve: settled(resolve), reject: settled(reject) }
      const stopListening = listen(signal, () => {
        if (this.#waiting[verb].delete(command)) command.reject(signal?.reason)
      })
      this.#waiting[verb].add(command)
      this.#pumping ??= this.#pump()
    })
  }

  /** Refuses what has not been sent, and every command from now on but giving back. */
  refuse(): void {
    this.#closed = true
    for (const verb of ['held', 'lock'] as const) fail(this.#waiting[verb], closedError())
  }

  /** After every command has its answer. The connection goes back to the pool. */
  async close(): Promise<void> {
    if (this.#session !== undefined) await this.#pumping
    await this.#session?.end()
    this.#session = undefined
  }

  async #pump(): Promise<void> {
    // What is asked for in one turn goes together.
    await undefined
    for (let verb = this.#next(); verb !== undefined; verb = this.#next()) {
      try {
        this.#session ??= await this.#checkOut()
      } catch (error) {
        for (const commands of Object.values(this.#waiting)) fail(commands, error)
        break
      }
      await this.#send(this.#session, verb)
    }
    this.#pumping = undefined
  }

  /** Proofs have a deadline, and what is given back lets others go on. */
  #next(): Verb | undefined {
    return (['held', 'unlock', 'lock'] as const).find((verb) => this.#waiting[verb].size > 0)
  }

  async #send(session: Session, verb: Verb): Promise<void> {
    const commands = [...this.#waiting[verb]]
    this.#waiting[verb].clear()
    const numbers = commands.map(({ number }) => String(number))
    try {
      const rows = await session.query(STATEMENTS[verb](numbers))
      const done = new Set(rows.map((row) => String(row['number'])))
      for (const { number, resolve } of commands) resolve(done.has(String(number)))
    } catch (error) {
      await this.#undo(session, verb, numbers, error)
      fail(commands, error)
    }
  }

  /** A statement that failed may have taken some of its locks, or kept some; without a TTL they would stay for ever. */
  async #undo(session: Session, verb: Verb, numbers: readonly string[], error: unknown): Promise<void> {
    if (verb === 'held' || this.#session !== session) return
    if (verb === 'lock') await session.query(STATEMENTS.unlock(numbers)).catch((cause) => session.lose(cause))
    else session.lose(error)
  }

  async #checkOut(): Promise<Session> {
    let session: Session | undefined
    const { pool, clock, commandMs, onReleased } = this.#options
    const onLost = (lost: Session, error: StoreError) => this.#lost(lost, error)
    try {
      const { client, watch } = await takeClient(pool)
      if (watch.lost !== undefined) {
        client.release(true)
        throw watch.lost
      }
      session = new Session(client, { clock, commandMs, onReleased, onLost })
      watch.end()
    } catch (cause) {
      throw new StoreError('no connection for advisory locks could be had from the pool', { cause })
    }
    if (this.#closed) {
      await session.end()
      throw closedError()
    }
    try {
      await session.start(this.#ghosts)
    } catch (error) {
      await session.end()
      throw error
    }
    this.#ghosts.length = 0
    return session
  }

  #lost(session: Session, error: StoreError): void {
    if (session.backend !== undefined) this.#ghosts.push(session.backend)
    if (this.#session !== session) return
    this.#session = undefined
    for (const verb of ['held', 'unlock'] as const) fail(this.#waiting[verb], error)
    this.#options.onLost(error)
  }
}

/** Each gives the numbers for which it is so. Advisory locks have the halves of a number as two columns. */
const STATEMENTS: Record<Verb, (numbers: readonly string[]) => Statement> = {
  lock: (numbers) => ({
    name: 'concurrency_kit_try_lock',
    text: 'SELECT n::text AS number FROM unnest($1::bigint[]) AS n WHERE pg_try_advisory_lock(n)',
    values: [numbers],
  }),
  unlock: (numbers) => ({
    name: 'concurrency_kit_unlock',
    text: `SELECT n::text AS number, pg_notify('${CHANNEL}', n::text) FROM unnest($1::bigint[]) AS n WHERE pg_advisory_unlock(n)`,
    values: [numbers],
  }),
  held: (numbers) => ({
    name: 'concurrency_kit_held',
    text: `SELECT n::text AS number FROM unnest($1::bigint[]) AS n JOIN pg_locks ON locktype = 'advisory' AND objsubid = 1
      AND pid = pg_backend_pid() AND granted AND n = (classid::bigint << 32) | objid::bigint`,
    values: [numbers],
  }),
}

function closedError(): StoreError {
  return new StoreError('the store of advisory locks is closed')
}

function fail(commands: Iterable<Command>, error: unknown): void {
  const failed = [...commands]
  if (commands instanceof Set) commands.clear()
  for (const { reject } of failed) reject(error)
}
