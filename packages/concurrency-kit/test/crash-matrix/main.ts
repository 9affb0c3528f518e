/**
 * Everything that can happen to a charge, at every point of it, on every store:
 * `npx -y pnpm@10 -F concurrency-kit crash-matrix [runs in all] [part of a store's name]`.
 */
import { startPostgres, startRedis } from '../support/containers.ts'
import { arenas } from './arenas.ts'
import { matrix, shown, type Tally } from './matrix.ts'
import { HEADER, row } from './report.ts'
import { observePostgres, observeRedis } from './servers.ts'

const [runs = '10000', only = ''] = process.argv.slice(2)

/** Of the runs of a store; the rest are for what takes longest. */
const [KILLS, CUTS] = [0.175, 0.7]

const chosen = arenas.filter(({ store, setting }) => `${store} ${setting}`.includes(only))
const share = Math.ceil(Number(runs) / chosen.length)
const startedAt = performance.now()
const [postgresServer, redisServer] = await Promise.all([startPostgres(), startRedis()])
const postgres = await observePostgres(postgresServer.url)
const redis = observeRedis(`redis://127.0.0.1:${redisServer.ports[0]}`)
const tallies: Tally[] = []
const statements = new Map<string, readonly string[]>()
try {
  console.log(HEADER)
  for (const arena of chosen) {
    const kills = Math.ceil(share * KILLS)
    const cuts = Math.ceil(share * CUTS)
    const report = await matrix(arena, { postgres, redis }, { kills, cuts, others: share - kills - cuts })
    for (const each of report.tallies) console.log(row(each))
    for (const violation of report.tallies.flatMap((each) => each.violations)) console.error(violation)
    tallies.push(...report.tallies)
    statements.set(arena.store, report.statements)
  }
} finally {
  await Promise.all([postgres.close(), redis.close()])
  await Promise.all([postgresServer.stop(), redisServer.stop()])
}
console.log('\nWhat a charge sends, as it was found:')
for (const [store, texts] of statements) console.log(`- ${store}: ${texts.map(shown).join(' / ')}`)
const violations = tallies.flatMap((each) => each.violations)
const count = (...kinds: string[]) =>
  tallies.filter(({ kind }) => kinds.includes(kind)).reduce((sum, { runs }) => sum + runs, 0)
const tookMs = performance.now() - startedAt
console.log(
  `\n${count('SIGKILL')} runs with SIGKILL, ${count('cut', 'terminate')} with cuts and terminations, ${count('swallow', 'zombie')} others, ${violations.length} violations, in ${Math.round(tookMs / 1000)} s.`,
)
process.exitCode = violations.length === 0 ? 0 : 1
