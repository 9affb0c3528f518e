import { StoreError } from '../errors.ts'

/** Statements that begin or end a transaction; `ROLLBACK TO` a savepoint is none. */
const CONTROL =
  /^(?:\s|;|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*(?:BEGIN|START\s+TRANSACTION|COMMIT|END|ABORT|PREPARE\s+TRANSACTION|ROLLBACK(?!\s+(?:WORK\s+|TRANSACTION\s+)?TO\b))\b/i

interface Guard {
  /** Whether the transaction is over: the connection may be somebody else's by now. */
  over(): boolean
  onError(error: unknown): void
}

/**
 * The client as a handler gets it: it cannot end the transaction nor give the connection back, is of no use afterwards,
 * and tells of every statement that failed.
 */
export function guardedClient<Client extends object>(client: Client, guard: Guard): Client {
  const query = (...args: unknown[]): unknown => {
    const why = refused(args[0], guard)
    const last = args.at(-1)
    if (typeof last === 'function') {
      if (why !== undefined) return void queueMicrotask(() => last(why))
      args[args.length - 1] = (error: unknown, result: unknown) => {
        if (error) guard.onError(error)
        last(error, result)
      }
    } else if (why !== undefined) return Promise.reject(why)
    const answer: unknown = Reflect.apply(Reflect.get(client, 'query') as () => unknown, client, args)
    if (answer instanceof Promise) answer.catch((error) => guard.onError(error))
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

function refused(query: unknown, guard: Guard): StoreError | undefined {
  if (guard.over()) return new StoreError('the transaction is over: its client must not be used any more')
  const text: unknown = typeof query === 'object' && query !== null ? Reflect.get(query, 'text') : query
  if (typeof text !== 'string' || !CONTROL.test(text)) return undefined
  return new StoreError('the transaction is ended by whoever began it, not by the handler')
}
