import { setTimeout } from 'node:timers/promises'
import type { K6 } from '../find-k6.ts'
import { audit } from '../ledger.ts'
import { runK6 } from '../run-k6.ts'
import { table } from '../table.ts'
import { auditFindings, type Finding, showProgress, verdict } from '../verdict.ts'
import type { Engines } from './engines.ts'
import { FeltFaults } from './felt-faults.ts'
import { type Instances, startInstances } from './instances.ts'

const USERS = 25
const VIRTUAL_USERS = 100
/** Longest time for every user to be charged again after a fault, in ms: the dead server's leases, and some more. */
const RECOVERY_MS = 45_000
const CALM_MS = 3_000

/**
 * A server, Redis and Postgres are lost one after another under load, with clients that repeat their keys. Resolves to
 * whether every acknowledged charge is there, once, and everybody was served again.
 */
export async function underFaults(k6: K6, engines: Engines): Promise<boolean> {
  console.log(`\nFaults under load: ${VIRTUAL_USERS} virtual users on ${USERS} users, who repeat what fails`)
  const instances = await startInstances(engines, { SEED_USERS: String(USERS) })
  try {
    const starting = await instances.ledger.balances()
    const felt = new FeltFaults(Array.from({ length: USERS }, (_, index) => index + 1))
    const over = new AbortController()
    const options = {
      BASE_URL: instances.urls.join(),
      USER_COUNT: USERS,
      THINK_SECONDS: 0.2,
      MOST_REPEATS: 100,
      REPEAT_CONTENDED: 'true',
    }
    const load = runK6(k6, 'balance-charge', options, {
      flags: ['--vus', String(VIRTUAL_USERS), '--duration', '10m'],
      onProgress: showProgress,
      onAnswer: (charge) => felt.answered(charge?.userId),
      signal: over.signal,
    })
    const early = load.then(() => {
      throw new Error('k6 ended before the faults were over')
    })
    await Promise.race([oneAfterAnother(engines, instances, felt), early])
    over.abort()
    const { checks, acknowledged } = await load
    await instances.stop()
    const sums = await audit(instances.ledger, starting, acknowledged)
    return report(felt, [['checks', `${(checks * 100).toFixed(2)} %`, checks === 1], ...auditFindings(sums)])
  } finally {
    await instances.stop()
  }
}

async function oneAfterAnother(engines: Engines, instances: Instances, felt: FeltFaults): Promise<void> {
  let restart = async () => {}
  const faults: [string, (() => Promise<void>) | undefined][] = [
    [
      'one server of four killed (kill -9)',
      async () => {
        restart = await instances.killOne()
      },
    ],
    ['Redis restarted, empty', engines.restartRedis],
    ['Postgres killed and restarted', engines.restartPostgres],
  ]
  for (const [name, inject] of faults) {
    if (inject === undefined) {
      console.log(`  ${name}: left out, it was given by URL`)
      continue
    }
    await setTimeout(CALM_MS)
    console.log(`  ${name}`)
    await felt.during(name, inject, RECOVERY_MS)
    await restart()
    restart = async () => {}
  }
}

function report({ faults }: FeltFaults, findings: readonly Finding[]): boolean {
  const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`
  console.log(
    table(
      ['fault', 'it lasted', 'answers that failed', 'longest without a charge', 'longest for one user', 'served again'],
      faults.map(({ name, faultMs, failed, gapMs, userGapMs, recovered }) => [
        name,
        seconds(faultMs),
        failed,
        seconds(gapMs),
        seconds(userGapMs),
        recovered ? 'everybody' : 'NOT everybody',
      ]),
    ),
  )
  const held = verdict(findings)
  return held && faults.every(({ recovered }) => recovered)
}
