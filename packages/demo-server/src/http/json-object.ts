import { isUtf8 } from 'node:buffer'
import { problems, Refusal } from './problems.ts'

/** A JSON object as it was sent. */
export interface JsonObject {
  readonly values: Readonly<Record<string, unknown>>
  /** The text of each number among the values: parsing rounds, and amounts are judged on what was sent. */
  readonly numberTexts: ReadonlyMap<string, string>
}

const token = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s"{}[\],:]+/g

/** @throws Refusal unless `bytes` are one JSON object in UTF-8, with no name twice in any object. See ADR 0030. */
export function parseJsonObject(bytes: Buffer): JsonObject {
  // Decoding would make one replacement character of different bytes: two keys would become one.
  if (!isUtf8(bytes)) throw new Refusal(problems.bodyNotJson)
  const text = bytes.toString()
  const value = parse(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Refusal(problems.bodyNoObject)
  return { values: value as Record<string, unknown>, numberTexts: walk(text) }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Refusal(problems.bodyNotJson)
  }
}

/** Goes through the tokens of what is known to be a JSON object. */
function walk(text: string): Map<string, string> {
  const numberTexts = new Map<string, string>()
  /** The names seen in each object that is open; undefined for an array. */
  const open: (Set<string> | undefined)[] = []
  let previous = ''
  let name = ''
  for (const [part] of text.matchAll(token)) {
    const names = open.at(-1)
    if (part === '{') open.push(new Set())
    else if (part === '[') open.push(undefined)
    else if (part === '}' || part === ']') open.pop()
    else if (names !== undefined && part.startsWith('"') && previous !== ':') {
      name = JSON.parse(part)
      if (names.has(name)) throw new Refusal(problems.bodyDuplicateNames)
      names.add(name)
    } else if (open.length === 1 && previous === ':' && /^[-\d]/.test(part)) numberTexts.set(name, part)
    previous = part
  }
  return numberTexts
}
