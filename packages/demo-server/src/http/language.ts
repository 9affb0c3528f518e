export type Language = 'ko' | 'en'

/** English where `Accept-Language` gives it more weight than Korean; else Korean. */
export function preferredLanguage(header: string | undefined): Language {
  if (header === undefined) return 'ko'
  const weights = { ko: 0, en: 0 }
  for (const range of header.toLowerCase().split(',')) {
    // Split first: a single expression with adjacent optional spaces would take quadratic time.
    const [tag = '', ...parameters] = range.split(';').map((part) => part.trim())
    const language = /^([a-z]{1,8})(?:-[a-z0-9-]*)?$/.exec(tag)?.[1]
    const weight = weightIn(parameters)
    if (language === 'ko' || language === 'en') weights[language] = Math.max(weights[language], weight)
  }
  return weights.en > weights.ko ? 'en' : 'ko'
}

/** The weight of a range; 0 if it is malformed, so that the range is ignored. */
function weightIn(parameters: readonly string[]): number {
  if (parameters.length === 0) return 1
  const text = parameters.length === 1 ? /^q=([01](?:\.\d{0,3})?)$/.exec(parameters[0] as string)?.[1] : undefined
  return Number(text ?? 0)
}
