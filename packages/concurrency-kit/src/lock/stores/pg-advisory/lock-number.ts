import { createHash } from 'node:crypto'

/**
 * The number under which Postgres knows the lock on `key`: the first 64 bits of its SHA-256, signed.
 *
 * Among a million keys held at once two share a number with a chance of 1 to 37 million; they would wait for each other,
 * nothing worse.
 */
export function lockNumber(key: string): bigint {
  return createHash('sha256').update(key).digest().readBigInt64BE(0)
}
