import { describe, expect, test } from 'vitest'
import { chargeCommandOf, userIdOf } from '../../src/http/charge-request.ts'
import { idempotencyKeyOf } from '../../src/http/idempotency-key.ts'
import { parseJsonObject } from '../../src/http/json-object.ts'
import { preferredLanguage } from '../../src/http/language.ts'
import { canonicalId, wholeNumberIn } from '../../src/http/whole-number.ts'

/** Four times as much as the server takes. What is linear needs milliseconds, and what is quadratic about 5 s. */
const SIZE = 64 * 1_024
const LIMIT_MS = 1_000

/** Texts of `SIZE` characters on which an expression may try many ways of reading the same. */
function worst(...units: readonly string[]): string[] {
  return units.flatMap((unit) => {
    const long = unit.repeat(Math.ceil(SIZE / unit.length))
    return [long, `${long}x`, `${long}1`, `x${long}`, `${long}"`]
  })
}

const objects = (values: readonly string[]) => values.map((value) => Buffer.from(`{"amount":${value}}`))
const header = (text: string) => idempotencyKeyOf(undefined, text)

const parsers: [name: string, parse: (text: never) => unknown, texts: readonly (string | Buffer)[]][] = [
  [
    'Accept-Language',
    preferredLanguage,
    worst(' ', '\t', 'e', 'en-', '-', ',', ' ,', ';', ' ;', '; q=', 'en ', 'en;q=0.', '0', ' \t').flatMap((text) => [
      text,
      `en${text}`,
      `en;${text}`,
      `en;q=0.5${text}`,
    ]),
  ],
  [
    'an amount',
    wholeNumberIn,
    worst('0', '1', '10', '9').flatMap((text) => [text, `1.${text}`, `-${text}`, `1e${text}`, `${text}e1`]),
  ],
  ['a user id', canonicalId, worst('0', '1', '9', ' ')],
  ['a user id in a request', userIdOf, worst('1')],
  [
    'Idempotency-Key',
    header,
    worst('"', '\\', '\\"', '\\\\', 'a', ' ', 'a"').flatMap((text) => [text, `"${text}`, `"${text}"`]),
  ],
  ['the key in a body', (text) => idempotencyKeyOf(text, undefined), worst(' ', 'a', '\uD83D\uDE00', '\uD83D', '\0')],
  [
    'a body',
    parseJsonObject,
    [
      ...objects(['0'.repeat(SIZE), `1${'0'.repeat(SIZE)}`, `1.${'0'.repeat(SIZE)}1`, `"${'\\\\'.repeat(SIZE / 2)}"`]),
      ...objects([`"${'a'.repeat(SIZE)}"`, `"${'\\"'.repeat(SIZE / 2)}`, `${'['.repeat(SIZE)}`, ' '.repeat(SIZE)]),
      ...objects([`${'['.repeat(SIZE / 2)}${']'.repeat(SIZE / 2)}`, `[${'1,'.repeat(SIZE / 2)}1]`]),
      Buffer.from(`{${Array.from({ length: SIZE / 16 }, (_, index) => `"${index}":1`).join(',')}}`),
      Buffer.from(`${' '.repeat(SIZE)}{}`),
      Buffer.from('"'.repeat(SIZE)),
      Buffer.alloc(SIZE, 0xff),
    ],
  ],
  [
    'a charge',
    (text: Buffer) => chargeCommandOf('1', text, 'key'),
    objects([`1${'0'.repeat(SIZE)}1`, `1.${'0'.repeat(SIZE)}1`, `1e${'9'.repeat(SIZE)}`, `0.${'0'.repeat(SIZE)}e1`]),
  ],
]

describe('text from outside', () => {
  test.each(parsers)(
    'X3: %s of 64 kB is read in linear time',
    (_name, parse, texts) => {
      for (const text of texts) {
        const startMs = performance.now()
        try {
          parse(text as never)
        } catch {
          // Refused is fine, as long as it is soon.
        }
        const tookMs = performance.now() - startMs
        expect(tookMs, `${text.slice(0, 20)}…`).toBeLessThan(LIMIT_MS)
      }
    },
    60_000,
  )
})
