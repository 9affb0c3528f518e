import { StoreError } from '../errors.ts'
import { controlIn } from './control-statement.ts'
import type { Dialect } from './dialect.ts'

/**
 * What a handler may do on the connection that it works on: anything but begin or end a transaction, until it has settled.
 *
 * A statement that the handler did not await would otherwise land after the handler's result is stored, or undone.
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

  /** From now on every statement is refused. */
  end(): void {
    this.#over = true
    for (const close of this.#closing.splice(0)) close()
  }

  /** Why this statement is not sent; undefined for one that is. */
  refusal(text: unknown): StoreError | undefined {
    if (this.#over)
      return new StoreError(
        'the handler has settled: its transaction must not be used any more, and this statement was not sent',
      )
    const control = typeof text === 'string' ? controlIn(text, this.#dialect) : undefined
    if (control === 'begin')
      return new StoreError(
        'the handler runs in a transaction already: use a savepoint for a part that can be undone by itself',
      )
    if (control === 'end')
      return new StoreError('the transaction is ended by whoever began it, not by the handler: nothing was sent')
    return undefined
  }
}
