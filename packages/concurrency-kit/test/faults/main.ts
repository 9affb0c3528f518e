/**
 * What each lock store makes of each fault: `npx -y pnpm@10 -F concurrency-kit faults [runs of each] [part of a store's name]`.
 */
import { arenas, freshKey } from './arenas.ts'
import { contend, faultsOf, MOST_OVERLAP_MS, type Outcome, TTL_MS } from './run.ts'

const [runs = '5', only = ''] = process.argv.slice(2)

function row(store: string, fault: string, forgets: boolean, outcomes: readonly Outcome[]): boolean {
  const all = <Item>(of: (outcome: Outcome) => readonly Item[]) => outcomes.flatMap(of)
  const sum = (of: (outcome: Outcome) => number) => outcomes.reduce((total, outcome) => total + of(outcome), 0)
  const longest = (values: readonly number[]) => Math.ceil(Math.max(0, ...values))
  const overlaps = all(({ overlapsMs }) => overlapsMs)
  const violated = sum(({ violatedEffects }) => violatedEffects) + sum(({ tokensBackwards }) => tokensBackwards)
  const faults = all((outcome) => outcome.faults)
  const holds = violated === 0 && faults.length === 0 && longest(overlaps) <= (forgets ? MOST_OVERLAP_MS : 0)
  const cells = [
    store.padEnd(31),
    fault.padEnd(38),
    String(outcomes.length).padStart(4),
    String(sum(({ sections }) => sections)).padStart(8),
    String(overlaps.length).padStart(8),
    String(longest(overlaps)).padStart(10),
    String(violated).padStart(8),
    String(longest(all(({ lostAfterMs }) => lostAfterMs))).padStart(9),
    String(longest(outcomes.map(({ longestGapMs }) => longestGapMs))).padStart(8),
    `  ${holds ? 'holds' : 'DOES NOT HOLD'}`,
  ]
  console.log(cells.join(' '))
  for (const each of new Set(faults)) console.log(`    ${each}`)
  return holds
}

console.log(
  `lease ${TTL_MS} ms; times in ms: longest overlap, until a lost lease was known, longest gap between sections`,
)
console.log(`${'store'.padEnd(31)} ${'fault'.padEnd(38)} runs sections overlaps    longest violated lost after     gap`)
let held = true
for (const { open } of arenas.filter(({ name }) => name.includes(only))) {
  const arena = await open()
  try {
    for (const fault of faultsOf(arena)) {
      const outcomes: Outcome[] = []
      for (let run = 0; run < Number(runs); run += 1) outcomes.push(await contend(arena, fault, freshKey()))
      held = row(arena.name, fault.name, fault.forgets, outcomes) && held
    }
  } finally {
    await arena.close()
  }
}
console.log(held ? 'Everything held.' : 'NOT everything held.')
process.exitCode = held ? 0 : 1
