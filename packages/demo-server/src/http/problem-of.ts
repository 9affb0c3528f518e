import {
  isAmbiguousOutcomeError,
  isFingerprintMismatchError,
  isIdempotencyInProgressError,
  isLockUnavailableError,
  isRowNotFoundError,
  isStoreError,
  isTransactionRetriesError,
  isVersionConflictError,
} from 'concurrency-kit'
import { type Problem, problems, Refusal } from './problems.ts'

/** What the client is told of `error`. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Refusal) return error.problem
  return problemOfGuard(error) ?? problemOfCode(error) ?? problems.unforeseen
}

function problemOfGuard(error: unknown): Problem | undefined {
  if (isLockUnavailableError(error)) return problems.lockUnavailable
  if (isIdempotencyInProgressError(error)) return problems.keyInProgress
  if (isFingerprintMismatchError(error)) return problems.keyReused
  if (isVersionConflictError(error)) return problems.versionConflict
  if (isRowNotFoundError(error)) return problems.userUnknown
  // Whatever became of the charge: the same key, sent again, is charged once.
  if (isStoreError(error) || isTransactionRetriesError(error) || isAmbiguousOutcomeError(error)) {
    return problemOfCode(error.cause) ?? problems.unavailable
  }
  return undefined
}

const problemsByCode: Readonly<Record<string, Problem>> = {
  FST_ERR_BAD_URL: problems.urlInvalid,
  FST_ERR_MAX_PARAM_LENGTH: problems.urlTooLong,
  FST_ERR_CTP_BODY_TOO_LARGE: problems.bodyTooLarge,
  FST_ERR_CTP_INVALID_MEDIA_TYPE: problems.bodyNoJsonType,
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: problems.bodyLengthWrong,
}

/** The database or its disk is at fault, not the statement. @see https://sqlite.org/rescode.html */
const unreachable = /^SQLITE_(BUSY|LOCKED|CANTOPEN|FULL|IOERR|READONLY|CORRUPT|NOTADB|NOMEM|PROTOCOL)/

/** A code that only Postgres gives. @see https://www.postgresql.org/docs/current/errcodes-appendix.html */
const sqlState = /^(?:\d[\dA-Z]|F0|HV|P0|XX)[\dA-Z]{3}$/
/** Its connection, resources, operators, disk or another transaction is at fault, not the statement. */
const postgresUnavailable = /^(?:08|25006|28|3D|40|53|55P03|57|58|XX)/

/** By the codes of Fastify, better-sqlite3, Postgres and Node.js. */
function problemOfCode(error: unknown): Problem | undefined {
  if (!(error instanceof Error)) return undefined
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (code in problemsByCode) return problemsByCode[code]
  if (unreachable.test(code) || error.name === 'KnexTimeoutError') return problems.unavailable
  if (sqlState.test(code)) return postgresUnavailable.test(code) ? problems.unavailable : problems.unforeseen
  if (code.startsWith('SQLITE_')) return problems.unforeseen
  const status = 'statusCode' in error ? Number(error.statusCode) : 500
  return status >= 400 && status < 500 ? problems.requestInvalid : undefined
}
