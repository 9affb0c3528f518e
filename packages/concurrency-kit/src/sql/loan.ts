import { StoreError } from '../errors.ts'
import { controlIn } from './control-statement.ts'
import type { OwnedTransaction } from './database.ts'
import type { Dialect } from './dialect.ts'

/**
 * A handler's permission to use a connection: until it settles it may send anything except statements that begin or end a transaction.
 *
 * Otherwise a statement that the handler did not await could run after the handler's result was stored, or rolled back.
 */
export class Loan {
  readonly #dialect: Dialect['name']
  readonly #closing: (() => unknown)[] = []
  #over = false

  constructor(dialect: Dialect['name']) {
    this.#dialect = dialect
  }

  /** `close` is called at the end of the loan, for what must not be open then. */
  atEnd(close: () => unknown): void {
    this.#closing.push(close)
  }

  /** Refuses every later statement. */
  end(): void {
    this.#over = true
    for (const close of this.#closing.splice(0)) close()
  }

  /** The error for a statement that must not be sent; undefined for any other. */
  refusal(text: unknown): StoreError | undefined {
    if (this.#over)
      return new StoreError(
        'the handler has settled, so its transaction can no longer be used: this statement was not sent',
      )
    const control = typeof text === 'string' ? controlIn(text, this.#dialect) : undefined
    if (control === 'begin')
      return new StoreError(
        'the handler already runs in a transaction: use a savepoint to undo a part of it; this statement was not sent',
      )
    if (control === 'end') return endRefused()
    return undefined
  }
}

/** Lends the transaction for `work`, and takes it back as soon as that has settled. */
export async function onLoan<Transaction, Result>(
  owned: OwnedTransaction<Transaction>,
  work: (transaction: Transaction) => Promise<Result>,
): Promise<Result> {
  const { transaction, takeBack } = await owned.lend()
  try {
    return await work(transaction)
  } finally {
    takeBack()
  }
}

export function endRefused(): StoreError {
  return new StoreError('a handler must not end its transaction: nothing was sent')
}

/** In place of the methods that close or release a connection. */
export function refuseToRelease(): never {
  throw new StoreError('a handler must not close or release its connection')
}

/** `target` with some of its members replaced; the methods that it keeps are called on `target` itself. */
export function overriding<Target extends object>(
  target: Target,
  members: Readonly<Record<PropertyKey, unknown>>,
): Target {
  return new Proxy(target, {
    get(_, name) {
      if (Object.hasOwn(members, name)) return members[name]
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
