/**
 * Runs the lock engine under the simulator: `npx -y pnpm@10 -F concurrency-kit simulate [seeds] [first seed]`.
 *
 * The first seed that violates an invariant is printed with its trace, and ends the run.
 */
import { fingerprint, simulate } from './simulate.ts'

const [seeds = '2000', first = '1'] = process.argv.slice(2)
const startedAtMs = performance.now()
let steps = 0
let compared = 0
for (let seed = Number(first); seed < Number(first) + Number(seeds); seed += 1) {
  const run = await simulate(seed)
  steps += run.steps
  compared += run.compared
  if (run.violation !== undefined || seeds === '1') for (const line of run.trace) console.log(line)
  if (seeds === '1') console.log(`trace ${fingerprint(run)}`)
  if (run.violation === undefined) continue
  const { invariant, what, atMs } = run.violation
  console.log(`seed ${seed}: violated at ${atMs.toFixed(3)} ms: ${invariant}: ${what}`)
  console.log(`again: npx -y pnpm@10 -F concurrency-kit simulate 1 ${seed}`)
  process.exitCode = 1
  break
}
if (process.exitCode !== 1) {
  const tookS = ((performance.now() - startedAtMs) / 1_000).toFixed(1)
  console.log(`${seeds} seeds from ${first}: ${steps} steps, ${compared} beliefs compared, no violation, ${tookS} s`)
}
