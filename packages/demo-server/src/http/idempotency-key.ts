import { problems, Refusal } from './problems.ts'

const MAX_CHARACTERS = 100

/**
 * The request's one idempotency key, from the body's field or the `Idempotency-Key` header.
 *
 * @throws Refusal missing, blank, malformed, longer than 100 characters (code points), or header and field differ.
 */
export function idempotencyKeyOf(field: unknown, header: string | undefined): string {
  const fromField = field ?? undefined
  if (fromField !== undefined && typeof fromField !== 'string') throw new Refusal(problems.keyNoString)
  const fromHeader = header === undefined || header === '' ? undefined : keyInHeader(header)
  if (fromField !== undefined && fromHeader !== undefined && fromField !== fromHeader) {
    throw new Refusal(problems.keysDiffer)
  }
  const key = fromField ?? fromHeader
  if (key === undefined || key.trim() === '') throw new Refusal(problems.keyMissing)
  if (key.length > MAX_CHARACTERS && [...key].length > MAX_CHARACTERS) throw new Refusal(problems.keyTooLong)
  if (key.includes('\0') || !key.isWellFormed()) throw new Refusal(problems.keyUnstorable)
  return key
}

/**
 * An RFC 8941 string, or bare ASCII that cannot be taken for a list or for parameters.
 *
 * @see draft-ietf-httpapi-idempotency-key-header, section 2.1
 */
function keyInHeader(header: string): string {
  const quoted = /^"((?:[ !#-[\]-~]|\\["\\])*)"$/.exec(header)?.[1]
  if (quoted !== undefined) return quoted.replace(/\\(.)/g, '$1')
  if (/^[!#-+\--:<-~]+$/.test(header)) return header
  throw new Refusal(problems.keyHeaderMalformed)
}
