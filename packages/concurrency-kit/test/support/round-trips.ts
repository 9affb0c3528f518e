import type { Duplex } from 'node:stream'
import type pg from 'pg'

/** What a connection to Postgres sends. */
export interface Sent {
  /** How often it sent after it had heard something. */
  roundTrips: number
  texts: string[]
}

/** Notes from now on, in `sent`, what `client` sends. */
export function noteWhatIsSent(client: pg.Client | pg.PoolClient, sent: Sent): void {
  const { stream } = Reflect.get(client, 'connection') as { stream: Duplex }
  const write = stream.write.bind(stream)
  let heard = true
  stream.on('data', () => {
    heard = true
  })
  stream.write = (...args: unknown[]) => {
    if (heard) sent.roundTrips += 1
    heard = false
    return Reflect.apply(write, stream, args) as boolean
  }
  const query = client.query.bind(client) as (...args: unknown[]) => unknown
  client.query = ((config: string | { readonly text: string }, ...rest: unknown[]) => {
    sent.texts.push(typeof config === 'string' ? config : config.text)
    return query(config, ...rest)
  }) as typeof client.query
}
