import type { K6 } from '../find-k6.ts'
import { type LoadResult, runK6 } from '../run-k6.ts'
import { table } from '../table.ts'
import { holdsOrNot } from '../verdict.ts'
import type { Engines } from './engines.ts'
import { startInstances } from './instances.ts'

const MOST_CONFLICTS = 10
const SECONDS = 3
const VIRTUAL_USERS = 40
const USERS = 5
const AMOUNT = 1_000

/** Each of the three switches, on or off: without any guard first, with all of them last. */
const combinations = [0, 1, 2, 3, 4, 5, 6, 7].map((bits) => ({
  lock: (bits & 1) > 0,
  version: (bits & 2) > 0,
  key: (bits & 4) > 0,
}))
type Combination = (typeof combinations)[number]

interface Outcome extends Combination {
  readonly requests: number
  readonly acknowledged: number
  readonly conflicts: number
  /** Charges that were acknowledged, not replayed, and whose money is not there. */
  readonly lostUpdates: number
  readonly doubleCharges: number
  /** In won. */
  readonly balances: number
  readonly mustBe: number
}

/**
 * The same load with every combination of the guards: every key is sent twice at once to two instances, and once more
 * when it is done. Resolves to whether each guard did what it is for.
 */
export async function beforeAndAfter(k6: K6, engines: Engines): Promise<boolean> {
  const what = `${VIRTUAL_USERS} virtual users on ${USERS} users for ${SECONDS} s, every key sent three times`
  console.log(`\nBefore and after: ${what}, with every combination of the guards`)
  const outcomes: Outcome[] = []
  for (const combination of combinations) {
    outcomes.push(await run(k6, engines, combination))
    console.log(`  ${outcomes.length} of ${combinations.length}`)
  }
  const head = ['lock', 'version', 'key', 'requests', 'acknowledged', 'conflicts', 'lost updates', 'double charges']
  const rows = outcomes.map((outcome) => [
    ...[outcome.lock, outcome.version, outcome.key].map((on) => (on ? 'on' : 'off')),
    ...[outcome.requests, outcome.acknowledged, outcome.conflicts, outcome.lostUpdates, outcome.doubleCharges],
    ...[outcome.balances, outcome.mustBe, holdsOrNot(isAsExpected(outcome))],
  ])
  console.log(table([...head, 'balances', 'must be', 'as it is to be'], rows))
  return outcomes.every(isAsExpected)
}

async function run(k6: K6, engines: Engines, { lock, version, key }: Combination): Promise<Outcome> {
  const word = (on: boolean) => (on ? 'on' : 'off')
  const switches = { LOCK: word(lock), VERSION_CHECK: word(version), IDEMPOTENCY: word(key) }
  const instances = await startInstances(engines, { ...switches, SEED_USERS: String(USERS) })
  try {
    const options = {
      BASE_URL: instances.urls.join(),
      USER_COUNT: USERS,
      CHARGE_AMOUNT: AMOUNT,
      COPIES: 2,
      THINK_SECONDS: 0.1,
    }
    const flags = ['--vus', String(VIRTUAL_USERS), '--duration', `${SECONDS}s`]
    const load = await runK6(k6, 'repeated-keys', options, { flags })
    const conflicts = await instances.counter('concurrency_kit_optimistic_conflicts_total')
    const balances = [...(await instances.ledger.balances()).values()].reduce((sum, each) => sum + each, 0)
    return { lock, version, key, conflicts, balances, ...tally(load, key, balances) }
  } finally {
    await instances.stop()
  }
}

function tally({ acknowledged, requests }: LoadResult, replays: boolean, balances: number) {
  const keys = new Set(acknowledged.map(({ key }) => key)).size
  // A replay has the same balance in it; what differs was charged again. Without keys every answer is a charge.
  const charges = replays
    ? new Set(acknowledged.map(({ key, balance }) => `${key} ${balance}`)).size
    : acknowledged.length
  return {
    requests,
    acknowledged: acknowledged.length,
    lostUpdates: charges - balances / AMOUNT,
    doubleCharges: charges - keys,
    mustBe: keys * AMOUNT,
  }
}

/** What each guard is for, and what it is not for. */
function isAsExpected({ lock, version, key, conflicts, lostUpdates, doubleCharges }: Outcome): boolean {
  const exclusive = lock ? conflicts <= MOST_CONFLICTS : !version || conflicts > 0
  const kept = lock || version ? lostUpdates === 0 : lostUpdates > 0
  const once = key ? doubleCharges === 0 : doubleCharges > 0
  return exclusive && kept && once
}
