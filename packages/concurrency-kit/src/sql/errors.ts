import { isStoreError, StoreError } from '../errors.ts'

/** The five characters by which Postgres names an error; undefined for any other. */
export function sqlState(error: unknown): string | undefined {
  const code = codeOf(error)
  // A class begins with a digit or one of these letters: EPIPE is none.
  return code !== undefined && /^[0-9FHPX][0-9A-Z]{4}$/.test(code) ? code : undefined
}

/** Whether the server has answered with this error: without a word of it, a statement may still run, or have run. */
export function isAnswered(error: unknown): boolean {
  if (sqlState(error) !== undefined) return true
  // An error code of the application's own, raised in a function or trigger, can begin with any letter.
  const severity: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'severity') : undefined
  return typeof severity === 'string'
}

/** Another process writes the SQLite file, or has written it since this transaction read: nothing was done. */
function isBusy(error: unknown): boolean {
  return /^SQLITE_(BUSY|LOCKED)/.test(codeOf(error) ?? '')
}

/**
 * The statement was prepared before its table changed (DDL), or the connection has forgotten it (`DISCARD ALL`,
 * `DEALLOCATE ALL`, a pooler's other connection): nothing was done, and prepared anew it may succeed.
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

/** A binding has no form that its column's type can take, such as a `uuid` that is none: the statement is at fault, not the server. */
export function isMalformed(error: unknown): boolean {
  const cause = isStoreError(error) ? error.cause : error
  return sqlState(cause)?.startsWith('22') === true
}

export function asStoreError(what: string, error: unknown): StoreError {
  if (isStoreError(error)) return error
  return new StoreError(`${what} failed${missingTable(error)}`, { cause: error, transient: passes(error) })
}

/** Says which table is missing, where that is the reason, and who makes the kit's. */
function missingTable(error: unknown): string {
  const message = error instanceof Error ? error.message : ''
  const isMissing = sqlState(error) === '42P01' || /\bno such table: /.test(message)
  if (!isMissing) return ''
  const named = /relation "[^"]+" does not exist|no such table: \S+/.exec(message)?.[0] ?? 'a table does not exist'
  return `: ${named}; createTables or tableStatements of concurrency-kit/knex make the tables of the kit`
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
