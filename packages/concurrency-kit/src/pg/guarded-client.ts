import { type Loan, overriding, refuseToRelease } from '../sql/loan.ts'

/**
 * The client for a handler: it cannot begin or end a transaction, cannot release the connection, and refuses every statement after
 * the loan has ended. It reports every statement that failed.
 */
export function guardedClient<Client extends object>(
  client: Client,
  loan: Loan,
  onError: (error: unknown) => void,
): Client {
  const query = (...args: unknown[]): unknown => {
    const refused = loan.refusal(textOf(args[0]))
    const last = args.at(-1)
    if (typeof last === 'function') {
      if (refused !== undefined) return void queueMicrotask(() => last(refused))
      args[args.length - 1] = (error: unknown, result: unknown) => {
        if (error) onError(error)
        last(error, result)
      }
    } else if (refused !== undefined) return Promise.reject(refused)
    const answer: unknown = Reflect.apply(Reflect.get(client, 'query') as () => unknown, client, args)
    if (answer instanceof Promise) answer.catch(onError)
    return answer
  }
  return overriding(client, { query, release: refuseToRelease, end: refuseToRelease })
}

/** The SQL of a text, a query object or a cursor; a `pg-query-stream` contains its cursor. */
function textOf(query: unknown): unknown {
  if (typeof query !== 'object' || query === null) return query
  const cursor: unknown = Reflect.get(query, 'cursor')
  return (
    Reflect.get(query, 'text') ?? (typeof cursor === 'object' && cursor !== null ? Reflect.get(cursor, 'text') : '')
  )
}
