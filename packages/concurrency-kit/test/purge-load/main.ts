/**
 * Charges at a steady rate before, during and after a purge of many expired records:
 * `npx -y pnpm@10 -F concurrency-kit purge-load [expired] [postgres or sqlite] [charges a second] [seconds before and after]`.
 */
import { quantile } from '../../bench/rounds.ts'
import { startPostgres } from '../support/containers.ts'
import { type Outcome, purgeUnderLoad } from './campaign.ts'
import { placeOnPostgres, placeOnSqlite } from './places.ts'

const [, , expired = '10000000', database = 'postgres', perSecond = '100', seconds = '30'] = process.argv
const plan = {
  expired: Number(expired),
  live: Math.ceil(Number(expired) / 10),
  chargesPerSecond: Number(perSecond),
  seconds: Number(seconds),
  settled: true,
}
const progress = (text: string) => {
  if (process.stderr.isTTY) process.stderr.write(`\r${text}\x1b[K`)
}

if (database === 'sqlite') report(await purgeUnderLoad(await placeOnSqlite(), plan, progress))
else {
  const postgres = await startPostgres()
  try {
    report(await purgeUnderLoad(await placeOnPostgres(postgres.url), plan, progress))
  } finally {
    await postgres.stop()
  }
}

function report({ before, during, after, purged, purgeMs, batchesMs, wrong }: Outcome): void {
  progress('')
  const whole = (value: number) => Math.round(value).toLocaleString('en-US')
  console.log(
    `${whole(plan.expired)} expired and ${whole(plan.live)} live records on ${database}, ${perSecond} charges/s\n`,
  )
  console.log('| charges | number | p50 ms | p99 ms | longest ms |\n| - | - | - | - | - |')
  for (const [name, ms] of Object.entries({ before, 'during the purge': during, after })) {
    const times = [quantile(ms, 0.5), quantile(ms, 0.99), quantile(ms, 1)].map((value) => value.toFixed(1))
    console.log(`| ${[name, whole(ms.length), ...times].join(' | ')} |`)
  }
  const [middle, longest] = [quantile(batchesMs, 0.5), quantile(batchesMs, 1)].map((ms) => ms.toFixed(1))
  console.log(`
${whole(purged)} purged in ${whole(purgeMs / 1_000)} s: ${whole((purged / purgeMs) * 1_000)}/s, in ${whole(batchesMs.length)} batches of ${middle} ms (p50), ${longest} ms (longest)
${wrong.length === 0 ? 'every live record is there, every charge is recorded once, the balances are exact' : `WRONG: ${wrong.join('; ')}`}`)
  if (wrong.length > 0) process.exitCode = 1
}
