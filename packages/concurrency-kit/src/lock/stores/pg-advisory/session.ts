import { setImmediate } from 'node:timers'
import { StoreError } from '../../../errors.ts'
import { ConnectionWatch } from '../../../sql/connection.ts'
import type { Clock, TimerHandle } from '../../../time/clock.ts'

/** What the store uses of a `pg` pool; the caller's, never ended and never configured here. */
export interface AdvisoryLockPool {
  connect(): Promise<AdvisoryLockClient>
}

/** What the store uses of a client that it has checked out. */
export interface AdvisoryLockClient {
  query(statement: Statement): Promise<{ rows: Row[] }>
  // biome-ignore lint/suspicious/noExplicitAny: each event brings something else, or nothing
  on(event: 'error' | 'end' | 'notification', listener: (message: any) => void): unknown
  // biome-ignore lint/suspicious/noExplicitAny: as above
  removeListener(event: 'error' | 'end' | 'notification', listener: (message: any) => void): unknown
  release(destroy?: boolean): void
}

type Row = Record<string, unknown>

export interface Statement {
  /** Prepared once on a connection. */
  readonly name?: string
  readonly text: string
  readonly values?: unknown[]
}

/** A server process: its number alone may be another's by now. */
export interface Backend {
  readonly pid: string
  readonly startedAt: string
}

export interface SessionOptions {
  readonly clock: Clock
  /** How long an answer may take, in ms, before the connection counts as lost. */
  readonly commandMs: number
  /** Some process released this number. */
  readonly onReleased: (number: string) => void
  /** Called once: whatever the server kept for this connection is gone, or soon will be. */
  readonly onLost: (session: Session, error: StoreError) => void
}

/** Every store of a database announces releases here. */
export const CHANNEL = 'concurrency_kit_locks'

/**
 * One connection of the caller's pool, checked out for as long as it lives: one statement at a time, each with a deadline.
 *
 * A connection that hangs is as good as lost: what is behind the statement that hangs would hang too.
 */
export class Session {
  readonly #client: AdvisoryLockClient
  readonly #options: SessionOptions
  #backend: Backend | undefined
  #over: StoreError | undefined
  #failRunning: (error: StoreError) => void = () => {}

  constructor(client: AdvisoryLockClient, options: SessionOptions) {
    this.#client = client
    this.#options = options
    client.on('error', this.#onError)
    client.on('end', this.#onEnd)
    client.on('notification', this.#onNotification)
  }

  get backend(): Backend | undefined {
    return this.#backend
  }

  /**
   * Makes sure that the session is the client's own, listens, and ends what `ghosts` may still hold: the server learns
   * of a line that was cut only when its own time-outs have passed.
   *
   * @throws StoreError the connection failed, or a pooler is in between.
   */
  async start(ghosts: readonly Backend[]): Promise<void> {
    const [self] = await this.query({ text: HELLO })
    if (String(self?.['pid']) !== String(Reflect.get(this.#client, 'processID'))) {
      this.#leave(false)
      throw new StoreError(
        'advisory locks need a connection of their own to Postgres, but a pooler such as PgBouncer answers: the server process is not the one that the client was told of; use a pool that connects to Postgres itself',
      )
    }
    await this.query({ text: `LISTEN ${CHANNEL}` })
    for (const { pid, startedAt } of ghosts) {
      // A server before 14, or one that does not let us: then its own time-outs end it.
      await this.query({ text: TERMINATE, values: [pid, startedAt] }).catch(() => {})
    }
    if (this.#over !== undefined) throw this.#over
    this.#backend = { pid: String(self?.['pid']), startedAt: String(self?.['started_at']) }
  }

  /**
   * Sends one statement; the one before has been answered.
   *
   * @throws StoreError the statement failed, `cause` says why; or the connection is lost, and so is all that it held.
   */
  query(statement: Statement): Promise<Row[]> {
    if (this.#over !== undefined) return Promise.reject(this.#over)
    const { clock, commandMs } = this.#options
    return new Promise((resolve, reject) => {
      let timer: TimerHandle
      const settle = (how: () => void) => {
        clock.clearTimer(timer)
        this.#failRunning = () => {}
        how()
      }
      const fail = (error: StoreError) => settle(() => reject(error))
      this.#failRunning = fail
      timer = clock.setTimer(() => {
        // After a stalled event loop the answer may lie there unread: it gets a turn first.
        setImmediate(() => {
          if (this.#failRunning !== fail) return
          new ConnectionWatch(this.#client).hangUp()
          this.lose(new Error(`it did not answer within ${commandMs} ms`))
        })
      }, commandMs)
      this.#client.query(statement).then(
        ({ rows }) => {
          if (this.#failRunning === fail) settle(() => resolve(rows))
        },
        (cause: unknown) => {
          if (this.#failRunning !== fail) return
          if (isOfStatement(cause)) fail(new StoreError('Postgres refused a statement on advisory locks', { cause }))
          else this.lose(cause)
        },
      )
    })
  }

  /** Gives the connection up: the pool closes it. */
  lose(cause: unknown): void {
    if (this.#over !== undefined) return
    const error = new StoreError('the connection that held the advisory locks was lost', { cause })
    this.#leave(true, error)
    this.#failRunning(error)
    this.#options.onLost(this, error)
  }

  /** Gives the connection back to the pool, as it was. */
  async end(): Promise<void> {
    try {
      await this.query({ text: `UNLISTEN ${CHANNEL}` })
      this.#leave(false)
    } catch {
      this.#leave(true)
    }
  }

  #leave(destroy: boolean, error = new StoreError('the connection was given back')): void {
    if (this.#over !== undefined) return
    this.#over = error
    this.#client.removeListener('error', this.#onError)
    this.#client.removeListener('end', this.#onEnd)
    this.#client.removeListener('notification', this.#onNotification)
    this.#client.release(destroy)
  }

  readonly #onError = (cause: unknown) => this.lose(cause)

  readonly #onEnd = () => this.lose(new Error('it was closed'))

  readonly #onNotification = ({ channel, payload }: { channel: string; payload?: string }) => {
    if (channel === CHANNEL && payload !== undefined) this.#options.onReleased(payload)
  }
}

const HELLO = `SELECT pg_backend_pid()::text AS pid,
  (SELECT backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()) AS started_at`

/** Waits for the end of the process, up to half a second. */
const TERMINATE = `SELECT pg_terminate_backend(pid, 500) FROM pg_stat_activity
  WHERE pid = $1::integer AND backend_start::text = $2`

/** The server's own word on one statement, after which the connection goes on; where it does not, it says so as well. */
function isOfStatement(error: unknown): boolean {
  return typeof error === 'object' && error !== null && typeof Reflect.get(error, 'severity') === 'string'
}
