// Pays for an order through a provider that is not in our database: `node pay.ts <order> <amount> [rerun | refuse | probe]`.
// Whoever is killed in between, we or the provider: sent again, it is answered, and the customer is charged once.
import { createHash } from 'node:crypto'
import {
  AmbiguousOutcomeError,
  isAmbiguousOutcomeError,
  type LeasedOptions,
  NoEffectError,
  withIdempotency,
} from 'concurrency-kit'
import { openRecords } from './records.ts'

interface Charge {
  readonly id: string
  readonly order: string
  readonly amount: number
}

const [order = 'order-1', amount = '10000', mode = 'rerun'] = process.argv.slice(2)
const { PROVIDER_URL = 'http://127.0.0.1:4242', RECORDS_URL = 'payments.db', LEASE_MS = '30000' } = process.env

/**
 * The provider's key, made of our scope and key and of nothing else: the same on every attempt of every process, another one for
 * every other request, of a length that providers take, and it tells them nothing.
 */
function providerKey(scope: string, key: string): string {
  return createHash('sha256')
    .update(JSON.stringify([scope, key]))
    .digest('hex')
}

/** Asks the provider; where it did not say what became of it, nobody knows, and the error says so. */
async function ask(path: string, key: string, init: RequestInit): Promise<{ status: number; body: unknown }> {
  try {
    const response = await fetch(new URL(path, PROVIDER_URL), init)
    if (response.status < 500) return { status: response.status, body: await response.json() }
    throw new Error(`it answered ${response.status}`)
  } catch (cause) {
    throw new AmbiguousOutcomeError(key, 'the provider did not answer', { cause })
  }
}

/** What to do under a key whose owner vanished: did it charge, or not? */
const answers: Record<string, LeasedOptions<Charge>['onAmbiguous']> = {
  /** For a provider that keeps keys, such as this one: what it has charged under ours it does not charge again. */
  rerun: 'rerun',
  /** For one that keeps none: charged at most once. An `AmbiguousOutcomeError` is for a person to look into. */
  refuse: 'refuse',
  /** For one that can be asked, and knows of a charge as soon as it has the request. */
  async probe({ scope, key }) {
    const { status, body } = await ask(`/charges/${providerKey(scope, key)}`, key, {})
    if (status === 404) return { found: false }
    if (status === 200) return { found: true, result: body as Charge }
    throw new Error(`the provider does not say: ${JSON.stringify(body)}`)
  },
}

const { store, close } = await openRecords(RECORDS_URL)
const scope = 'payments'
const payload = { order, amount: Number(amount) }
// Each attempt starts it anew. The provider's keys must outlive it, and whoever sends again must stop before they end.
const retentionMs = 24 * 60 * 60 * 1_000
try {
  const charge = await withIdempotency(
    {
      store,
      scope,
      key: order,
      payload,
      retentionMs,
      leaseMs: Number(LEASE_MS),
      onAmbiguous: answers[mode] ?? 'rerun',
    },
    async ({ idempotencyKey, signal, assertOwned }) => {
      assertOwned()
      const { status, body } = await ask('/charges', idempotencyKey, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': providerKey(scope, idempotencyKey) },
        body: JSON.stringify(payload),
        signal: AbortSignal.any([signal, AbortSignal.timeout(10_000)]),
      })
      // The provider rejected the charge and will not make it later: this frees the key for another attempt.
      if (status === 422) throw new NoEffectError(`the provider refused: ${JSON.stringify(body)}`)
      if (status !== 200) throw new Error(`the provider answered ${status}: ${JSON.stringify(body)}`)
      return body as Charge
    },
  )
  console.log(JSON.stringify(charge))
} catch (error) {
  if (!isAmbiguousOutcomeError(error)) throw error
  console.error(`${error.code}: ${error.message}`, error.cause ?? '')
  process.exitCode = 1
} finally {
  await close()
}
