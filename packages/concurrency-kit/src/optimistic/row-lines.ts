import { listen, type Signal } from '../abort.ts'

/** Who waits for a row, by store and id; the first in line has its turn, and is not among them. */
const lines = new WeakMap<object, Map<unknown, (() => void)[]>>()

/** Whether somebody in this process is about to change this row under its lock. */
export function hasLine(store: object, id: unknown): boolean {
  return lines.get(store)?.has(keyOf(id)) === true
}

/** A composite id is a new object in each call, so its content is the key. */
function keyOf(id: unknown): unknown {
  if (typeof id !== 'object' || id === null) return id
  const columns = Object.entries(id).map(([column, value]) => [column, typeof value, String(value)])
  return JSON.stringify(columns.sort(([one = ''], [other = '']) => (one < other ? -1 : 1)))
}

/** Runs `turn` once those of this process who came before have had theirs; a signal ends the wait with its reason. */
export async function inLine<Result>(
  store: object,
  id: unknown,
  signal: Signal | undefined,
  turn: () => Promise<Result>,
): Promise<Result> {
  const ofStore = lines.get(store) ?? new Map<unknown, (() => void)[]>()
  lines.set(store, ofStore)
  const key = keyOf(id)
  const line = ofStore.get(key)
  if (line === undefined) ofStore.set(key, [])
  else await ownTurn(line, signal)
  try {
    return await turn()
  } finally {
    const next = ofStore.get(key)?.shift()
    if (next === undefined) ofStore.delete(key)
    else next()
  }
}

function ownTurn(line: (() => void)[], signal: Signal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const begin = () => {
      stopListening()
      resolve()
    }
    line.push(begin)
    const stopListening = listen(signal, () => {
      line.splice(line.indexOf(begin), 1)
      reject(signal?.reason)
    })
  })
}
