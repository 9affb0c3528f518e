/**
 * Writers that provoke deadlocks and stale snapshots, at each isolation level on each store of Postgres:
 * `npx -y pnpm@10 -F concurrency-kit isolation [seconds] [writers] [part of a store's name]`.
 */
import { ISOLATION_LEVELS } from '../../src/sql/isolation-level.ts'
import { startPostgres } from '../support/containers.ts'
import { CAUSES } from './attempt-counts.ts'
import { contendAt } from './campaign.ts'
import { type StoreName, stores } from './stores.ts'

const [seconds = '30', writers = '50', only = ''] = process.argv.slice(2)
const HEAD = ['level', 'store', 'calls', 'calls/s', ...CAUSES, 'own errors', 'p50 ms', 'p99 ms', 'verdict']

console.log(`${writers} writers for ${seconds} s each\n`)
console.log(markdown(HEAD))
console.log(markdown(HEAD.map(() => '-')))
const postgres = await startPostgres()
try {
  for (const level of ISOLATION_LEVELS) {
    for (const storeName of Object.keys(stores).filter((name) => name.includes(only)) as StoreName[]) {
      const contest = { storeName, level, writers: Number(writers), ms: Number(seconds) * 1_000 }
      const { calls, perSecond, counts, thrown, arrived, p50Ms, p99Ms, wrong } = await contendAt(postgres.url, contest)
      const own = thrown === arrived ? arrived : `${arrived} of ${thrown}`
      const causes = CAUSES.map((cause) => counts[cause] ?? 0)
      const times = [p50Ms, p99Ms].map((ms) => ms.toFixed(ms < 10 ? 1 : 0))
      const verdict = wrong.length === 0 ? 'holds' : `WRONG: ${wrong.slice(0, 3).join('; ')}`
      console.log(markdown([level, storeName, calls, Math.round(perSecond), ...causes, own, ...times, verdict]))
      if (wrong.length > 0) process.exitCode = 1
    }
  }
} finally {
  await postgres.stop()
}

function markdown(cells: readonly (string | number)[]): string {
  return `| ${cells.join(' | ')} |`
}
