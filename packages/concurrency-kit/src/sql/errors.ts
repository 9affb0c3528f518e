import { isStoreError, StoreError } from '../errors.ts'

/** The five characters by which Postgres names an error; undefined for any other. */
export function sqlState(error: unknown): string | undefined {
  const code = codeOf(error)
  // A class begins with a digit or one of these letters: EPIPE is none.
  return code !== undefined && /^[0-9FHPX][0-9A-Z]{4}$/.test(code) ? code : undefined
}

/** Whether this error is the server's answer. Without an answer, the statement may still run or may have run. */
export function isAnswered(error: unknown): boolean {
  if (sqlState(error) !== undefined) return true
  // A function or trigger can raise an application-defined code, which may begin with any letter.
  const severity: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'severity') : undefined
  return typeof severity === 'string'
}

/** Another process writes the SQLite file, or has written it since this transaction read: nothing was done. */
function isBusy(error: unknown): boolean {
  return /^SQLITE_(BUSY|LOCKED)/.test(codeOf(error) ?? '')
}

/** How often an operation is repeated after {@link preparedIsOutdated}: each time the client has prepared its statements again. */
export const MOST_REPEATS = 5

/**
 * The statement was prepared before its table changed (DDL), or the connection has lost it (`DISCARD ALL`, `DEALLOCATE ALL`, a
 * pooler's other connection). Nothing was done, and it may succeed when it is prepared again.
 */
export function preparedIsOutdated(error: unknown): boolean {
  const state = sqlState(error)
  if (state === '26000' || state === '42P05') return true
  return state === '0A000' && Reflect.get(error as object, 'routine') === 'RevalidateCachedQuery'
}

/** Another transaction came in between, and nothing was done: run again, all of it may succeed. */
export function passes(error: unknown): boolean {
  const state = sqlState(error)
  return state === '40001' || state === '40P01' || isBusy(error)
}

/** Whether a binding is malformed for its column's type, such as text that is not a UUID in a `uuid` column. */
export function isMalformed(error: unknown): boolean {
  const cause = isStoreError(error) ? error.cause : error
  return sqlState(cause)?.startsWith('22') === true
}

export function asStoreError(what: string, error: unknown): StoreError {
  if (isStoreError(error)) return error
  return new StoreError(`${what} failed${missingTable(error)}`, { cause: error, transient: passes(error) })
}

/** Names the missing table, if that is the reason, and how to create the kit's tables; otherwise empty. */
function missingTable(error: unknown): string {
  const message = error instanceof Error ? error.message : ''
  const isMissing = sqlState(error) === '42P01' || /\bno such table: /.test(message)
  if (!isMissing) return ''
  const named = /relation "[^"]+" does not exist|no such table: \S+/.exec(message)?.[0] ?? 'a table does not exist'
  return `: ${named}; createTables or tableStatements of concurrency-kit/knex create the kit's own tables`
}

function codeOf(error: unknown): string | undefined {
  const code: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : undefined
  return typeof code === 'string' ? code : undefined
}

/** The connection is gone, as the server says by its last word or the system by its own. */
export function isConnectionLost(error: unknown): boolean {
  const severity: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'severity') : undefined
  if (severity === 'FATAL' || severity === 'PANIC') return true
  return /^(08|57P)/.test(sqlState(error) ?? '') || /^E[A-Z]{3,}$/.test(codeOf(error) ?? '')
}

/** The server hung up because the transaction took longer than it allows: so would the next one. */
export function tookTooLong(error: unknown): boolean {
  return /^25P0[34]$/.test(sqlState(error) ?? '')
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
