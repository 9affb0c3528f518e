import { ConnectionWatch, isLeftOpen, type PgConnection } from '../sql/connection.ts'

export interface TakenClient<Client> {
  readonly client: Client
  readonly watch: ConnectionWatch
  /** Returns the client to its pool, or drops the connection. */
  giveBack(drop: boolean): void
}

/**
 * Takes a client out of the pool, watched from the first moment.
 *
 * A new connection may break in the very data that says it is ready. The pool no longer listens then, and whoever awaits its
 * promise does not listen yet: the error would end the process. Its callback comes in time. A client that was given back within a
 * transaction is dropped, and the next one taken.
 */
export function takeClient<Client extends PgConnection & { release(drop?: boolean): void }>(pool: {
  connect(): Promise<Client>
}): Promise<TakenClient<Client>> {
  return new Promise((resolve, reject) => {
    const taken = (client: Client) => {
      if (isLeftOpen(client)) {
        client.release(true)
        takeClient(pool).then(resolve, reject)
        return
      }
      const watch = new ConnectionWatch(client)
      const giveBack = (drop: boolean) => {
        watch.end()
        client.release(drop)
      }
      resolve({ client, watch, giveBack })
    }
    // A pool of another make may know promises alone.
    if (pool.connect.length === 0) {
      pool.connect().then(taken, reject)
      return
    }
    const callback = (error: unknown, client: Client) => (error ? reject(error) : taken(client))
    Reflect.apply(pool.connect as unknown as (then: typeof callback) => void, pool, [callback])
  })
}
