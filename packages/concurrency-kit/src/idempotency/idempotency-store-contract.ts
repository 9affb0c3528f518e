import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { ContractRunner } from '../entries/testing-runner.ts'
import { isFingerprintMismatchError, isIdempotencyInProgressError, isResultNotSerializableError } from '../errors.ts'
import { jsonCodec } from './codec.ts'
import { findReplay } from './find-replay.ts'
import type { LeasedIdempotencyStore, TransactionalIdempotencyStore } from './idempotency-store.ts'
import { withIdempotency } from './with-idempotency.ts'

export interface OpenIdempotencyStore<Transaction> {
  readonly store: TransactionalIdempotencyStore<Transaction> | LeasedIdempotencyStore
  /**
   * Transactional stores: writes a mark through `transaction`, and counts the committed marks, so that the suite can see
   * that effect and record stand or fall together.
   */
  readonly effects?: { add(transaction: Transaction): Promise<void>; count(): Promise<number> }
  /** False for a store that keeps no scopes. @defaultValue true */
  readonly scopes?: boolean
  /** False for a store that keeps no final errors. @defaultValue true */
  readonly finalErrors?: boolean
  /** False for a store whose records expire by themselves, so that `purge` finds none. @defaultValue true */
  readonly purges?: boolean
  close(): Promise<void>
}

interface Call {
  readonly key: string
  readonly scope?: string
  readonly payload?: unknown
  readonly waitMs?: number
  readonly retentionMs?: number
  readonly onReplay?: () => void
  readonly finalErrors?: { encode(error: unknown): string | undefined; decode(text: string): unknown }
}

/**
 * The contract of an idempotency store of either kind, through the guards, and the port's verbs where it is leased.
 *
 * @param runner - The test runner's `describe` and `test`: those of Vitest, Jest or `node:test`.
 * @param name - How the store is called in the names of the tests.
 * @param open - Called for each test; a fresh store object, whose backend may be shared.
 */
export function idempotencyStoreContract<Transaction>(
  { describe, test }: ContractRunner,
  name: string,
  open: () => Promise<OpenIdempotencyStore<Transaction>>,
): void {
  const prove = (title: string, body: (subject: Subject<Transaction>) => Promise<void>) =>
    test(title, async () => {
      const opened = await open()
      try {
        await body(new Subject(opened))
      } finally {
        await opened.close()
      }
    })

  describe(`idempotency store contract: ${name}`, () => {
    prove('the handler runs once, and every later call gets its result, the first one too', async (subject) => {
      const result = { id: 7, lines: [{ price: 1.5, name: '한글 🔒' }], none: null }
      const first = await subject.run({ key: 'k', payload: { a: 1 } }, async () => result)
      let replays = 0
      const again = await subject.run(
        { key: 'k', payload: { a: 1 }, onReplay: () => (replays += 1) },
        async () => 'never',
      )
      assert.deepEqual(first, result)
      assert.deepEqual(again, result)
      assert.equal(replays, 1)
      assert.deepEqual(await subject.find({ key: 'k', payload: { a: 1 } }), { found: true, result })
    })

    prove('nothing is found before, nor under another key', async (subject) => {
      assert.deepEqual(await subject.find({ key: 'k' }), { found: false })
      await subject.run({ key: 'k' }, async () => 1)
      assert.deepEqual(await subject.find({ key: 'other' }), { found: false })
    })

    prove('a handler without a result replays none', async (subject) => {
      assert.equal(await subject.run({ key: 'k' }, async () => undefined), undefined)
      assert.equal(await subject.run({ key: 'k' }, async () => 'never'), undefined)
    })

    prove('another payload under the key is refused, before and after', async (subject) => {
      await subject.run({ key: 'k', payload: { amount: 1 } }, async () => 1)
      const other = { key: 'k', payload: { amount: 2 } }
      await assert.rejects(
        subject.run(other, async () => assert.fail('ran')),
        isFingerprintMismatchError,
      )
      await assert.rejects(subject.find(other), isFingerprintMismatchError)
    })

    prove('the same key in two scopes is two keys', async (subject) => {
      if (!subject.scopes) return
      assert.equal(await subject.run({ key: 'k', scope: 'tenant 1' }, async () => 1), 1)
      assert.equal(await subject.run({ key: 'k', scope: 'tenant 2' }, async () => 2), 2)
      assert.equal(await subject.run({ key: 'k', scope: 'tenant 1' }, async () => 3), 1)
    })

    prove('an error leaves no record and no effect, and the next call runs', async (subject) => {
      const failure = new Error('provider down')
      await assert.rejects(
        subject.run({ key: 'k' }, async (effect) => {
          await effect()
          throw failure
        }),
        (error) => error === failure,
      )
      await subject.assertEffects(0)
      assert.equal(await subject.run({ key: 'k' }, async () => 'second'), 'second')
    })

    prove('a result that JSON cannot carry fails before anything is kept, with its path', async (subject) => {
      await assert.rejects(
        subject.run({ key: 'k' }, async (effect) => {
          await effect()
          return { items: [1, 2n] }
        }),
        (error) => isResultNotSerializableError(error) && error.path === '$.items[1]',
      )
      await subject.assertEffects(0)
      assert.deepEqual(await subject.find({ key: 'k' }), { found: false })
    })

    prove('callers at the same time run it once, and get equal answers', async (subject) => {
      let runs = 0
      const answers = await Promise.all(
        Array.from({ length: 50 }, () =>
          subject.run({ key: 'k', payload: 1, waitMs: 20_000 }, async (effect) => {
            await effect()
            runs += 1
            return { run: runs }
          }),
        ),
      )
      assert.equal(runs, 1)
      for (const answer of answers) assert.deepEqual(answer, { run: 1 })
      await subject.assertEffects(1)
    })

    prove('when the one that runs fails, the next in line runs', async (subject) => {
      let runs = 0
      const outcomes = await Promise.allSettled(
        Array.from({ length: 5 }, () =>
          subject.run({ key: 'k' }, async () => {
            runs += 1
            if (runs < 3) throw new Error(`run ${runs}`)
            return runs
          }),
        ),
      )
      assert.equal(runs, 3)
      assert.deepEqual(outcomes.map(({ status }) => status).sort(), [
        'fulfilled',
        'fulfilled',
        'fulfilled',
        'rejected',
        'rejected',
      ])
    })

    prove('a handler that asks for its own key is told at once', async (subject) => {
      await subject.run({ key: 'k' }, async () => {
        await assert.rejects(
          subject.run({ key: 'k' }, async () => 1),
          isIdempotencyInProgressError,
        )
        return 1
      })
    })

    prove('a record counts as absent after its retention, and is replaced', async (subject) => {
      await subject.run({ key: 'k', retentionMs: 60 }, async () => 'old')
      await until(async () => !(await subject.find({ key: 'k' })).found)
      assert.equal(await subject.run({ key: 'k', payload: 'another' }, async () => 'new'), 'new')
    })

    prove('purge deletes expired records, some at a time, and no others', async (subject) => {
      for (let n = 0; n < 5; n += 1) await subject.run({ key: `old ${n}`, retentionMs: 1 }, async () => n)
      await subject.run({ key: 'kept' }, async () => 'kept')
      await until(async () => !(await subject.find({ key: 'old 4' })).found)
      for (const purged of subject.purges ? [3, 2] : []) assert.equal(await subject.store.purge({ limit: 3 }), purged)
      assert.equal(await subject.store.purge({ limit: 3 }), 0)
      assert.equal((await subject.find({ key: 'kept' })).found, true)
    })

    prove('keys are exact: quotes, percent signs, case and characters of any script', async (subject) => {
      const keys = ["'", '"', '%', '_', '?', ':k', 'A', 'a', '한글', '🔒', 'é', 'é', ' ', 'a'.repeat(255)]
      for (const key of keys) assert.equal(await subject.run({ key }, async () => key), key)
      for (const key of keys) assert.equal(await subject.run({ key }, async () => 'again'), key)
    })

    prove('a final error is stored and replayed, and its effects are undone where the store can', async (subject) => {
      if (!subject.finalErrors) return
      const call = { key: 'k', finalErrors: brokeErrors }
      let runs = 0
      for (const _ of [1, 2]) {
        await assert.rejects(
          subject.run(call, async (effect) => {
            runs += 1
            await effect()
            throw new Broke('insufficient balance')
          }),
          (error) => error instanceof Broke && error.message === 'insufficient balance',
        )
      }
      assert.equal(runs, 1)
      await subject.assertEffects(0)
      await assert.rejects(subject.find(call), Broke)
    })

    leasedVerbs(prove)
  })
}

/** The port's own verbs, where it has them: rivals of other processes. */
function leasedVerbs<Transaction>(
  prove: (title: string, body: (subject: Subject<Transaction>) => Promise<void>) => void,
): void {
  const leased = (title: string, body: (store: LeasedIdempotencyStore, claim: ClaimOf) => Promise<void>) =>
    prove(`leased: ${title}`, async ({ store, key }) => {
      if (store.kind !== 'leased') return
      const record = { scope: '', key: key('k') }
      await body(store, (owner, options = {}) => ({
        ...record,
        owner,
        fingerprint: 'f',
        payload: null,
        leaseMs: 30_000,
        retentionMs: 60_000,
        takeOver: true,
        ...options,
      }))
    })

  leased('a claim excludes others until it is completed', async (store, claim) => {
    assert.deepEqual(await store.claim(claim('a')), { status: 'claimed', attempt: 1 })
    assert.deepEqual(await store.claim(claim('a')), { status: 'claimed', attempt: 1 })
    const refused = await store.claim(claim('b'))
    assert.equal(refused.status, 'in_progress')
    assert.equal(await store.complete({ ...claim('a'), outcome: 'result', text: '1' }), true)
    const done = await store.claim(claim('b'))
    assert.deepEqual(done, { status: 'completed', record: { fingerprint: 'f', outcome: 'result', text: '1' } })
  })

  leased('completing again as the same owner, whose reply was lost, answers true again', async (store, claim) => {
    await store.claim(claim('a'))
    const completion = { ...claim('a'), outcome: 'result', text: '1' } as const
    assert.equal(await store.complete(completion), true)
    assert.equal(await store.complete(completion), true)
    assert.equal(await store.complete({ ...completion, owner: 'b' }), false)
    assert.equal(await store.abandon(claim('a')), false)
    assert.equal((await store.claim(claim('a'))).status, 'completed')
  })

  leased('an abandoned claim is free at once; only its owner can abandon it', async (store, claim) => {
    await store.claim(claim('a'))
    assert.equal(await store.abandon(claim('b')), false)
    assert.equal(await store.abandon(claim('a')), true)
    assert.deepEqual(await store.claim(claim('b')), { status: 'claimed', attempt: 1 })
  })

  leased('a claim whose owner vanished is taken over by one, and counted', async (store, claim) => {
    await store.claim(claim('a', { leaseMs: 40 }))
    assert.equal((await untilNot('in_progress', () => store.claim(claim('b', { takeOver: false })))).status, 'vanished')
    const claims = await Promise.all(['b', 'c', 'd'].map((owner) => store.claim(claim(owner))))
    assert.deepEqual(claims.map(({ status }) => status).sort(), ['claimed', 'in_progress', 'in_progress'])
    assert.deepEqual(
      claims.find(({ status }) => status === 'claimed'),
      { status: 'claimed', attempt: 2 },
    )
  })

  leased('another payload never takes a claim over', async (store, claim) => {
    await store.claim(claim('a', { leaseMs: 40 }))
    const other = await untilNot('in_progress', () => store.claim(claim('b', { fingerprint: 'g' })))
    assert.deepEqual(other, { status: 'vanished', fingerprint: 'f' })
  })

  leased('a late owner neither completes, renews nor abandons what was taken over (I2)', async (store, claim) => {
    await store.claim(claim('a', { leaseMs: 40 }))
    await untilNot('in_progress', () => store.claim(claim('b')))
    assert.equal(await store.complete({ ...claim('a'), outcome: 'result', text: 'late' }), false)
    assert.equal(await store.renew(claim('a')), false)
    assert.equal(await store.abandon(claim('a')), false)
    assert.equal((await store.claim(claim('c'))).status, 'in_progress')
    assert.equal(await store.complete({ ...claim('b'), outcome: 'result', text: 'on time' }), true)
  })

  leased('renewing prolongs the claim from now', async (store, claim) => {
    await store.claim(claim('a', { leaseMs: 60 }))
    assert.equal(await store.renew(claim('a', { leaseMs: 30_000 })), true)
    await new Promise((resolve) => setTimeout(resolve, 90))
    assert.equal((await store.claim(claim('b'))).status, 'in_progress')
  })
}

type ClaimOf = (
  owner: string,
  options?: Partial<{ leaseMs: number; takeOver: boolean; fingerprint: string }>,
) => Parameters<LeasedIdempotencyStore['claim']>[0]

class Broke extends Error {}

const brokeErrors = {
  encode: (error: unknown) => (error instanceof Broke ? error.message : undefined),
  decode: (text: string) => new Broke(text),
}

/** The store under test, with keys of its own for each test. */
class Subject<Transaction> {
  readonly store: OpenIdempotencyStore<Transaction>['store']
  readonly #opened: OpenIdempotencyStore<Transaction>
  readonly scopes: boolean
  readonly finalErrors: boolean
  readonly purges: boolean
  readonly #prefix = randomUUID().slice(0, 8)

  constructor(opened: OpenIdempotencyStore<Transaction>) {
    this.#opened = opened
    this.store = opened.store
    this.scopes = opened.scopes ?? true
    this.finalErrors = opened.finalErrors ?? true
    this.purges = opened.purges ?? true
  }

  /** Keys of their full length stay as they are: the suite uses one of them once. */
  readonly key = (key: string) => (key.length === 255 ? key : this.#prefix + key)

  run(call: Call, handler: (effect: () => Promise<void>) => Promise<unknown>): Promise<unknown> {
    const named = { ...call, key: this.key(call.key), codec: jsonCodec }
    if (this.store.kind === 'leased') {
      return withIdempotency({ ...named, store: this.store, onAmbiguous: 'rerun' }, () => handler(async () => {}))
    }
    return withIdempotency({ ...named, store: this.store }, ({ transaction }) =>
      handler(async () => this.#opened.effects?.add(transaction)),
    )
  }

  find({ key, ...call }: Call) {
    return findReplay({ ...call, key: this.key(key), store: this.store })
  }

  /** Leased stores have no effects to show: what a handler does there is done. */
  async assertEffects(expected: number): Promise<void> {
    if (this.#opened.effects !== undefined) assert.equal(await this.#opened.effects.count(), expected)
  }
}

/** Asks again every few ms, for at most 20 s. */
async function until(reached: () => Promise<boolean>): Promise<void> {
  const endAt = performance.now() + 20_000
  while (!(await reached())) {
    assert.ok(performance.now() < endAt, 'not reached within 20 s')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

async function untilNot<Answer extends { status: string }>(
  status: string,
  ask: () => Promise<Answer>,
): Promise<Answer> {
  let answer: Answer | undefined
  await until(async () => {
    answer = await ask()
    return answer.status !== status
  })
  return answer as Answer
}
