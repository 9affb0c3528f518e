import { StoreError } from '../../src/errors.ts'

/** Errors of the caller's own that look like those of a database, or of the kit. */
const SHAPES: readonly ((key: string) => Error)[] = [
  (key) => Object.assign(new Error(`declined ${key}`), { code: '40001' }),
  (key) => Object.assign(new Error(`declined ${key}`), { code: '40P01', severity: 'ERROR' }),
  (key) => Object.assign(new Error(`declined ${key}`), { name: 'StoreError', code: 'STORE_ERROR', transient: true }),
  (key) => new StoreError(`declined ${key}`, { transient: true, cause: { code: '40001' } }),
]

/** The errors that a call's handler throws, and whether the one that arrives is the last of them, as it was thrown. */
export class OwnErrors {
  readonly #shape: (key: string) => Error
  readonly #key: string
  #last: { readonly error: Error; readonly looked: string } | undefined
  thrown = 0

  constructor(key: string, n: number) {
    this.#key = key
    this.#shape = SHAPES[n % SHAPES.length] as (key: string) => Error
  }

  throw(): never {
    const error = this.#shape(this.#key)
    this.#last = { error, looked: look(error) }
    this.thrown += 1
    throw error
  }

  isLast(arrived: unknown): boolean {
    const last = this.#last
    return last !== undefined && arrived === last.error && look(last.error) === last.looked
  }
}

function look(error: Error): string {
  return JSON.stringify([error.name, error.message, error.stack, { ...error }, error.cause])
}
