/**
 * When a holder learns that its lease is lost, beside when another process has the key:
 * `npx -y pnpm@10 -F concurrency-kit losses [runs of each] [part of a store's name]`.
 */
import { Closing } from '../faults/arenas/closing.ts'
import { EVENTS, holds } from './events.ts'
import { type Lost, lose } from './lose.ts'
import { openPlace } from './places.ts'
import { STORES, TTL_MS } from './role.ts'

const runs = Number(process.argv[2] ?? 3)
const only = process.argv[3] ?? ''
const range = (values: readonly number[]) => {
  const [least, most] = [Math.min(...values), Math.max(...values)].map(Math.round)
  return least === most ? `${least}` : `${least} to ${most}`
}
let held = true

console.log(`lease ${TTL_MS} ms; ms before (-: after) the other process had the key; ${runs} runs each\n`)
console.log(
  '| event | store | `assertHeld` passed last | the holder knew | its late write | |\n| - | - | - | - | - | - |',
)
for (const store of STORES.filter((name) => name.includes(only))) {
  for (const event of EVENTS) {
    const closing = new Closing()
    try {
      const place = await openPlace(store, event.stepMs !== undefined, closing)
      const all: (Lost | undefined)[] = []
      for (let run = 0; place !== undefined && run < runs; run += 1)
        all.push(await lose(place, event.name, event.stepMs))
      const lost = all.filter((each) => each !== undefined)
      const ok = all.every((each) => holds(event, store, each))
      held &&= ok
      const cells =
        place === undefined
          ? ['no libfaketime, or no local server', '', '']
          : lost.length === 0
            ? ['nobody took it', '', '']
            : [
                range(lost.map(({ takenMs, heldMs }) => takenMs - heldMs)),
                range(lost.map(({ takenMs, knewMs }) => takenMs - knewMs)),
                lost.some(({ lateWrite }) => lateWrite) ? 'ACCEPTED' : 'refused',
              ]
      console.log(`| ${event.title} | ${store} | ${cells.join(' | ')} | ${ok ? 'holds' : 'DOES NOT HOLD'} |`)
    } finally {
      await closing.run()
    }
  }
}
process.exitCode = held ? 0 : 1
