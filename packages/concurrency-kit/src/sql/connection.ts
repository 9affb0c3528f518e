/** What is used of a connection by `pg`, also of the one inside a Knex transaction. */
export interface PgConnection {
  // biome-ignore lint/suspicious/noExplicitAny: as Node's event emitters are typed
  on(event: 'error', listener: (error: any) => void): unknown
  // biome-ignore lint/suspicious/noExplicitAny: as Node's event emitters are typed
  removeListener(event: 'error', listener: (error: any) => void): unknown
  /** `I` outside a transaction, `T` and `E` within one; older versions of `pg` do not have it. */
  getTransactionStatus?(): string | null
}

/** Whether somebody gave the connection back to its pool within a transaction: what is written on it is not stored. */
export function isLeftOpen(connection: PgConnection): boolean {
  return /^[TE]$/.test(connection.getTransactionStatus?.() ?? '')
}

/** Learns when a connection that is in use breaks: `pg` tells of it by an event, which nobody else listens to then. */
export class ConnectionWatch {
  readonly #connection: PgConnection
  readonly #listener = (error: unknown) => {
    this.lost ??= error
  }
  /** What the connection broke with. */
  lost: unknown

  constructor(connection: PgConnection) {
    this.#connection = connection
    connection.on('error', this.#listener)
  }

  /** For a connection that goes back to its pool; one that broke may still tell of it. */
  end(): void {
    if (this.lost === undefined) this.#connection.removeListener('error', this.#listener)
  }

  /** Hangs up at once: `end()` of a client would wait for the server's answers. */
  hangUp(): void {
    const wire: unknown = Reflect.get(this.#connection, 'connection')
    const stream: unknown = typeof wire === 'object' && wire !== null ? Reflect.get(wire, 'stream') : undefined
    if (typeof stream === 'object' && stream !== null && 'destroy' in stream && typeof stream.destroy === 'function') {
      this.lost ??= new Error('hung up after a missed deadline')
      stream.destroy()
    }
  }
}
