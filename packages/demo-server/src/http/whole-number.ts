/**
 * The exact value of a JSON number's text, where it is a whole number of at most 2^53 - 1 either way.
 *
 * `1.0` and `1e2` are whole numbers; `1.00000000000000000001` is none, although a parser makes 1 of it.
 */
export function wholeNumberIn(text: string): number | 'fraction' | 'too large' | 'too small' {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? []
  const digits = (whole + fraction).replace(/^0+/, '')
  const significant = withoutTrailingZeros(digits)
  if (significant === '') return 0
  const trailingZeros = Number(exponent) - fraction.length + digits.length - significant.length
  if (trailingZeros < 0) return 'fraction'
  // Past 16 digits it is past 2^53; up to 16 digits rounding to a double keeps the order.
  const size =
    significant.length + trailingZeros > 16 ? Number.POSITIVE_INFINITY : Number(`${significant}e${trailingZeros}`)
  if (size > Number.MAX_SAFE_INTEGER) return sign === '' ? 'too large' : 'too small'
  return sign === '' ? size : -size
}

/** A loop, because an expression such as `0+$` restarts at each zero and takes quadratic time. */
function withoutTrailingZeros(digits: string): string {
  let end = digits.length
  while (digits[end - 1] === '0') end -= 1
  return digits.slice(0, end)
}

/** A positive whole number up to 2^53 - 1 in its one canonical spelling: no sign, no leading zeros. */
export function canonicalId(text: string): number | undefined {
  if (!/^[1-9]\d{0,15}$/.test(text)) return undefined
  const id = Number(text)
  return Number.isSafeInteger(id) ? id : undefined
}
