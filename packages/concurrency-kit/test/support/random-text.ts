import { randomBytes } from 'node:crypto'

/** Code points of one, two, three and four bytes as UTF-8. */
const SCRIPTS = {
  latin: { from: 0x21, to: 0x7f },
  cyrillic: { from: 0x400, to: 0x500 },
  hangul: { from: 0xac00, to: 0xd7a4 },
  emoji: { from: 0x1f300, to: 0x1f600 },
} as const

export type Script = keyof typeof SCRIPTS
export const scripts = Object.keys(SCRIPTS) as readonly Script[]

/** Text of exactly so many bytes as UTF-8. It is random, as an index may compress its entries and so hide their length. */
export const textOfBytes = (script: Script, bytes: number) => fill(script, bytes, Buffer.byteLength)

/** Text of exactly so many characters, as JavaScript counts them. */
export const textOfCharacters = (script: Script, characters: number) => fill(script, characters, (text) => text.length)

function fill(script: Script, size: number, sizeOf: (text: string) => number): string {
  const { from, to } = SCRIPTS[script]
  let text = ''
  for (;;) {
    const next = String.fromCodePoint(from + (randomBytes(4).readUInt32LE() % (to - from)))
    if (sizeOf(text) + sizeOf(next) > size) return text + 'x'.repeat(size - sizeOf(text))
    text += next
  }
}
