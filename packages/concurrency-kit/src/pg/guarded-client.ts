import { StoreError } from '../errors.ts'
import type { Loan } from '../sql/loan.ts'

/**
 * The client as a handler gets it: it cannot begin or end a transaction nor give the connection back, is of no use once the
 * loan is over, and tells of every statement that failed.
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
  const refuse = () => {
    throw new StoreError('the connection is given back by whoever took it, not by the handler')
  }
  const own: Record<PropertyKey, unknown> = { query, release: refuse, end: refuse }
  return new Proxy(client, {
    get(target, name) {
      if (Object.hasOwn(own, name)) return own[name]
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** Of a text, a query or a cursor; a stream of rows has its cursor inside. */
function textOf(query: unknown): unknown {
  if (typeof query !== 'object' || query === null) return query
  const cursor: unknown = Reflect.get(query, 'cursor')
  return (
    Reflect.get(query, 'text') ?? (typeof cursor === 'object' && cursor !== null ? Reflect.get(cursor, 'text') : '')
  )
}
