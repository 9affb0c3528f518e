/**
 * What each lock store makes of each fault:
 * `npx -y pnpm@10 -F concurrency-kit faults [runs of each] [part of a store's name] [markdown]`.
 */
import { freshKey } from './arenas/fresh-key.ts'
import { arenas } from './arenas.ts'
import { faultsOf } from './faults.ts'
import { contend, type Outcome } from './run.ts'
import { heading, holds, line, markdownHeading, markdownLine, problems } from './table.ts'
import { TTL_MS } from './timing.ts'

const [runs = '5', only = '', layout = ''] = process.argv.slice(2)
const [head, print] = layout === 'markdown' ? [markdownHeading, markdownLine] : [heading, line]

console.log(
  `lease ${TTL_MS} ms; times in ms: longest overlap, until a lost lease was known, longest gap between sections\n`,
)
console.log(head())
let held = true
for (const { name, open } of arenas.filter((arena) => arena.name.includes(only))) {
  const arena = await open()
  try {
    for (const fault of faultsOf(arena)) {
      const outcomes: Outcome[] = []
      for (let run = 0; run < Number(runs); run += 1) outcomes.push(await contend(arena, fault, freshKey()))
      const row = { store: name, fault, outcomes }
      console.log(print(row))
      for (const each of problems(row)) console.error(`    ${each}`)
      held = holds(row) && held
    }
  } finally {
    await arena.close()
  }
}
console.log(held ? '\nEverything held.' : '\nNOT everything held.')
process.exitCode = held ? 0 : 1
