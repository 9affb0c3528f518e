import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import { findNonJson } from './json-value.ts'

/**
 * SHA-256, in hex, of the payload's canonical JSON: the same for equal payloads, whatever the order of their names.
 *
 * No payload counts as `null`.
 *
 * @throws TypeError `payload` has no canonical form; the message names the path and what is there.
 * @see RFC 8785 (JSON Canonicalization Scheme)
 */
export function fingerprintOf(payload: unknown): string {
  const value = payload === undefined ? null : payload
  const found = findNonJson(value)
  if (found !== undefined) throw new TypeError(`payload must be JSON, but ${found.path} is ${found.what}`)
  return createHash('sha256').update(canonical(value)).digest('hex')
}

function canonical(value: unknown): string {
  try {
    return canonicalize(value) as string
  } catch (cause) {
    throw new TypeError(`payload has no canonical form: ${(cause as Error).message}`, { cause })
  }
}
