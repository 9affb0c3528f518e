export type Language = 'ko' | 'en'

/** English where `Accept-Language` gives it more weight than Korean; else Korean. */
export function preferredLanguage(header: string | undefined): Language {
  if (header === undefined) return 'ko'
  const weights = { ko: 0, en: 0 }
  for (const range of header.toLowerCase().split(',')) {
    const [, tag, weight = '1'] =
      /^\s*([a-z]{1,8})(?:-[a-z0-9-]*)?\s*(?:;\s*q=([01](?:\.\d{0,3})?))?\s*$/.exec(range) ?? []
    if (tag === 'ko' || tag === 'en') weights[tag] = Math.max(weights[tag], Number(weight))
  }
  return weights.en > weights.ko ? 'en' : 'ko'
}
