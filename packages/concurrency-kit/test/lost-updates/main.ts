/**
 * Many writers count one row up, over each store:
 * `npx -y pnpm@10 -F concurrency-kit lost-updates [writers] [increments of each] [part of a store's name]`.
 */
import { dockerAnswers, startPostgres, startRedis } from '../support/containers.ts'
import { contend, type Outcome } from './campaign.ts'
import { embeddedPlaces, type Place, placesOn } from './places.ts'

const [writers = '64', increments = '1000', only = ''] = process.argv.slice(2)

const HEAD = ['store', 'processes', 'row lock after', 'sum', 'updates/s', 'attempts', 'p50 ms', 'p99 ms', 'longest ms']
console.log(
  `${writers} writers × ${increments} increments of one row; fair is their number × the mean time of an update\n`,
)
console.log(markdown([...HEAD, 'fair ms', 'longest / fair']))
console.log(markdown(Array(HEAD.length + 2).fill('-')))
await run(embeddedPlaces)
if (dockerAnswers()) {
  const [redis, postgres] = await Promise.all([startRedis(), startPostgres()])
  try {
    await run(placesOn(`redis://127.0.0.1:${redis.ports[0]}`, postgres.url))
  } finally {
    await Promise.all([redis.stop(), postgres.stop()])
  }
} else console.log('\nNo Docker engine answers: Redis and Postgres are left out.')

async function run(places: readonly Place[]): Promise<void> {
  for (const place of places.filter(({ name }) => name.includes(only))) {
    for (const fallback of place.locks ? [true, false] : [false]) {
      const outcome = await contend(place, { writers: Number(writers), increments: Number(increments), fallback })
      console.log(line(place, fallback, outcome))
      if (!outcome.exact) process.exitCode = 1
    }
  }
}

function line({ name, processes, locks }: Place, fallback: boolean, outcome: Outcome): string {
  const { exact, perSecond, attempts, p50Ms, p99Ms, longestMs, fairMs } = outcome
  const lock = fallback ? '3 attempts' : locks ? 'never' : 'cannot'
  const times = [p50Ms, p99Ms, longestMs, fairMs].map((ms) => ms.toFixed(ms < 10 ? 1 : 0))
  const sum = exact ? 'exact' : 'WRONG'
  return markdown([
    name,
    processes,
    lock,
    sum,
    Math.round(perSecond),
    attempts.toFixed(2),
    ...times,
    (longestMs / fairMs).toFixed(1),
  ])
}

function markdown(cells: readonly (string | number)[]): string {
  return `| ${cells.join(' | ')} |`
}
