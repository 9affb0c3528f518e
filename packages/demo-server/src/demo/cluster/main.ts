/**
 * `npx -y pnpm@10 demo:cluster`: four server processes on one Redis and one Postgres under the real k6. Exits 0 only if
 * everything held; where k6 or the engines cannot be had it says so in one line, and fails with `CI=true` alone.
 */
import { findK6, type K6 } from '../find-k6.ts'
import { howToGetK6 } from '../texts.ts'
import { load } from '../under-load.ts'
import { type Finding, verdict } from '../verdict.ts'
import { beforeAndAfter } from './before-and-after.ts'
import { type Engines, findEngines } from './engines.ts'
import { underFaults } from './faults.ts'
import { INSTANCES, startInstances } from './instances.ts'
import { watchKeys } from './key-watch.ts'

const loads = [
  {
    title: '100 users, up to 1000 virtual users',
    script: 'balance-charge',
    RAMP_SECONDS: 2,
    HOLD_SECONDS: 5,
    TOP_VUS: 1000,
  },
  {
    title: 'one user, up to 1000 virtual users',
    script: 'single-user',
    RAMP_SECONDS: 2,
    HOLD_SECONDS: 4,
    TOP_VUS: 1000,
  },
  {
    title: 'every key sent to three instances at once, and then to the fourth',
    script: 'repeated-keys',
    RAMP_SECONDS: 1,
    HOLD_SECONDS: 2,
    TOP_VUS: 100,
  },
] as const

const noEngines =
  'No Docker engine answers, and REDIS_URL and DATABASE_URL are not both set: there is nothing to run on.'

async function main(): Promise<void> {
  const k6 = await findK6()
  const engines = k6 && (await findEngines(process.env))
  if (k6 === undefined || engines === undefined) {
    console.log(k6 === undefined ? howToGetK6 : noEngines)
    // Left out must not look like passed where nobody reads it.
    process.exitCode = process.env.CI === 'true' ? 1 : 0
    return
  }
  try {
    const held = await runAll(k6, engines)
    console.log(held ? '\nEverything held.' : '\nNOT everything held.')
    process.exitCode = held ? 0 : 1
  } finally {
    await engines.close()
  }
}

async function runAll(k6: K6, engines: Engines): Promise<boolean> {
  const startedAtMs = performance.now()
  const watch = await watchKeys(engines.redisUrl)
  const findings: Finding[] = []
  const add = (what: string, held: boolean) => findings.push([what, '', held])
  add('each guard does what it is for', await beforeAndAfter(k6, engines))
  for (const { title, script, ...options } of loads) {
    console.log(`\n${INSTANCES} servers under k6: ${title}`)
    const instances = await startInstances(engines, {})
    try {
      add(title, await load(k6, instances, script, options))
    } finally {
      await instances.stop()
    }
  }
  add('faults under load', await underFaults(k6, engines))
  const keys = await watch?.stop()
  if (keys === undefined) findings.push(['keys on Redis', 'not watched: REDIS_URL names no single server'])
  else {
    const { samples, mostLocks, strangers } = keys
    findings.push([
      'balance:user:* on Redis shows the locks',
      `${mostLocks} at most, in ${samples} looks`,
      mostLocks > 0,
    ])
    findings.push(['no key besides that is not documented', strangers.slice(0, 5).join(), strangers.length === 0])
  }
  console.log(`\nAll of it, in ${Math.round((performance.now() - startedAtMs) / 1000)} s`)
  return verdict(findings)
}

await main()
