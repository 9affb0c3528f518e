import { isStoreError, StoreError } from '../errors.ts'

/** The five characters by which Postgres names an error; undefined for any other. */
export function sqlState(error: unknown): string | undefined {
  const code = codeOf(error)
  // A class begins with a digit or one of these letters: EPIPE is none.
  return code !== undefined && /^[0-9FHPX][0-9A-Z]{4}$/.test(code) ? code : undefined
}

/** Another process writes the SQLite file, or has written it since this transaction read: nothing was done. */
export function isBusy(error: unknown): boolean {
  return /^SQLITE_(BUSY|LOCKED)/.test(codeOf(error) ?? '')
}

/** Another transaction came in between, and nothing was done: run again, all of it may succeed. */
export function passes(error: unknown): boolean {
  const state = sqlState(error)
  return state === '40001' || state === '40P01' || isBusy(error)
}

export function asStoreError(what: string, error: unknown): StoreError {
  return isStoreError(error) ? error : new StoreError(`${what} failed`, { cause: error, transient: passes(error) })
}

function codeOf(error: unknown): string | undefined {
  const code: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : undefined
  return typeof code === 'string' ? code : undefined
}

/** The connection is gone, as the server says by its last word or the system by its own. */
export function isConnectionLost(error: unknown): boolean {
  return /^(08|57P)/.test(sqlState(error) ?? '') || /^E[A-Z]{3,}$/.test(codeOf(error) ?? '')
}

/** The last statement of a transaction did not find what its first had written. */
export function claimGone(cause?: unknown): StoreError {
  return new StoreError('the claim was gone when the handler returned: its transaction was ended or undone', { cause })
}

/** Postgres does nothing more in a transaction in which a statement has failed, and answers its COMMIT with ROLLBACK. */
export function swallowed(cause: unknown): StoreError {
  return new StoreError('a statement of the handler failed, and the handler went on: all of it was rolled back', {
    cause,
  })
}
