import { randomUUID } from 'node:crypto'
import path from 'node:path'
import { sqliteLedger } from './ledger.ts'
import { startServer } from './server-process.ts'
import { table } from './table.ts'
import { temporaryFolder } from './temporary-folder.ts'

const USERS = 5
const CHARGES = 200
const AMOUNT = 1_000
/** Every request goes out twice with its key, as from a client that retries. */
const COPIES = 2

const contests = [
  { guards: 'none', LOCK: 'off', VERSION_CHECK: 'off', IDEMPOTENCY: 'off' },
  { guards: 'version check', LOCK: 'off', VERSION_CHECK: 'on', IDEMPOTENCY: 'off' },
  { guards: 'lock, version check', LOCK: 'on', VERSION_CHECK: 'on', IDEMPOTENCY: 'off' },
  { guards: 'lock, version check, key', LOCK: 'on', VERSION_CHECK: 'on', IDEMPOTENCY: 'on' },
] as const

interface Outcome {
  readonly guards: string
  readonly sent: number
  readonly acknowledged: number
  /** Charges that were acknowledged, not replayed, and whose money is not there. */
  readonly lostUpdates: number
  readonly conflicts: number
  readonly doubleCharges: number
  readonly balance: number
}

const MUST_BE = CHARGES * AMOUNT

/** The same charges at once, with more and more guards: what each of them is for. Resolves to whether all of them held. */
export async function race(): Promise<boolean> {
  console.log(`${CHARGES} charges of ${AMOUNT} won to ${USERS} users at once, every request sent ${COPIES} times:\n`)
  const outcomes: Outcome[] = []
  for (const contest of contests) outcomes.push(await run(contest))
  const rows = outcomes.map(({ guards, sent, acknowledged, lostUpdates, conflicts, doubleCharges, balance }) => {
    const verdict = balance === MUST_BE ? 'right to the won' : balance > MUST_BE ? 'too much' : 'too little'
    return [guards, sent, acknowledged, lostUpdates, conflicts, doubleCharges, balance, MUST_BE, verdict]
  })
  const head = [
    'guards',
    'sent',
    'acknowledged',
    'lost updates',
    'conflicts',
    'double charges',
    'balances',
    'must be',
    'verdict',
  ]
  console.log(table(head, rows))
  const [none, , locked, all] = outcomes
  return (
    (none?.lostUpdates ?? 0) > 0 && locked?.lostUpdates === 0 && all?.balance === MUST_BE && all.doubleCharges === 0
  )
}

async function run({ guards, ...switches }: (typeof contests)[number]): Promise<Outcome> {
  const file = path.join(temporaryFolder(), 'race.db')
  const server = await startServer({ ...switches, DATABASE_URL: `sqlite:${file}`, SEED_USERS: String(USERS) })
  try {
    const requests = Array.from({ length: CHARGES }, (_, n) => ({ userId: (n % USERS) + 1, key: randomUUID() }))
    const answers = await Promise.all(
      requests.flatMap((request) => Array.from({ length: COPIES }, () => charge(server.url, request))),
    )
    const conflicts = await server.counter('concurrency_kit_optimistic_conflicts_total')
    const acknowledged = answers.filter((answer) => answer !== undefined)
    // A replay is the same answer to the byte; what differs was charged again.
    const charged = new Set(
      acknowledged.map(({ key, text }) => (switches.IDEMPOTENCY === 'on' ? key + text : randomUUID())),
    ).size
    const keys = new Set(acknowledged.map(({ key }) => key)).size
    const balance = [...(await sqliteLedger(file).balances()).values()].reduce((sum, each) => sum + each, 0)
    return {
      guards,
      sent: answers.length,
      acknowledged: acknowledged.length,
      lostUpdates: charged - balance / AMOUNT,
      conflicts,
      doubleCharges: charged - keys,
      balance,
    }
  } finally {
    await server.stop()
  }
}

async function charge(
  url: string,
  { userId, key }: { userId: number; key: string },
): Promise<{ key: string; text: string } | undefined> {
  const response = await fetch(`${url}/api/users/${userId}/balance/charge`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ amount: AMOUNT, idempotencyKey: key }),
  })
  const text = await response.text()
  return response.ok ? { key, text } : undefined
}
