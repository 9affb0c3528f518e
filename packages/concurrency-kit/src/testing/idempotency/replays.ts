import assert from 'node:assert/strict'
import { isFingerprintMismatchError, isIdempotencyInProgressError, isResultNotSerializableError } from '../../errors.ts'
import { type Prove, until } from '../runner.ts'
import { Broke, brokeErrors, type IdempotencyStoreAbilities, type Subject } from './callers.ts'

/** Tests what callers on one store object get, for both kinds of store. */
export function idempotencyReplays(prove: Prove<Subject>, abilities: Required<IdempotencyStoreAbilities>): void {
  prove('the handler runs once, and every later call gets its result, the first one too', async ({ caller }) => {
    const result = { id: 7, lines: [{ price: 1.5, name: '한글 🔒' }], none: null }
    const first = await caller.run({ payload: { a: 1 } }, async () => result)
    let replays = 0
    const again = await caller.run({ payload: { a: 1 }, onReplay: () => (replays += 1) }, async () => 'never')
    assert.deepEqual(first, result)
    assert.deepEqual(again, result)
    assert.equal(replays, 1)
    assert.deepEqual(await caller.find({ payload: { a: 1 } }), { found: true, result })
  })

  prove('nothing is found before, nor under another key', async ({ caller }) => {
    assert.deepEqual(await caller.find({}), { found: false })
    await caller.run({}, async () => 1)
    assert.deepEqual(await caller.find({ key: 'other' }), { found: false })
  })

  prove('a handler without a result replays none', async ({ caller }) => {
    assert.equal(await caller.run({}, async () => undefined), undefined)
    assert.equal(await caller.run({}, async () => 'never'), undefined)
  })

  prove('another payload under the key is refused, before and after', async ({ caller }) => {
    await caller.run({ payload: { amount: 1 } }, async () => 1)
    const other = { payload: { amount: 2 } }
    await assert.rejects(
      caller.run(other, async () => assert.fail('ran')),
      isFingerprintMismatchError,
    )
    await assert.rejects(caller.find(other), isFingerprintMismatchError)
  })

  prove(
    'the same key in two scopes is two keys',
    async ({ caller }) => {
      assert.equal(await caller.run({ scope: 'tenant 1' }, async () => 1), 1)
      assert.equal(await caller.run({ scope: 'tenant 2' }, async () => 2), 2)
      assert.equal(await caller.run({ scope: 'tenant 1' }, async () => 3), 1)
    },
    abilities.scopes,
  )

  prove('an error leaves no record, and the next call runs', async ({ caller }) => {
    const failure = new Error('provider down')
    const failed = caller.run({}, async () => {
      throw failure
    })
    await assert.rejects(failed, (error) => error === failure)
    assert.equal(await caller.run({}, async () => 'second'), 'second')
  })

  prove('a result that JSON cannot carry fails before anything is kept, with its path', async ({ caller }) => {
    const bad = caller.run({}, async () => ({ items: [1, 2n] }))
    await assert.rejects(bad, (error) => isResultNotSerializableError(error) && error.path === '$.items[1]')
    assert.deepEqual(await caller.find({}), { found: false })
  })

  prove('callers at the same time run it once, and get equal answers', async ({ caller }) => {
    let runs = 0
    const handler = async () => {
      runs += 1
      return { run: runs }
    }
    const calls = Array.from({ length: 50 }, () => caller.run({ payload: 1, waitMs: 20_000 }, handler))
    for (const answer of await Promise.all(calls)) assert.deepEqual(answer, { run: 1 })
    assert.equal(runs, 1)
  })

  prove('when the one that runs fails, the next in line runs', async ({ caller }) => {
    let runs = 0
    const handler = async () => {
      runs += 1
      if (runs < 3) throw new Error(`run ${runs}`)
      return runs
    }
    const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => caller.run({}, handler)))
    assert.equal(runs, 3)
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 3)
  })

  prove('a handler that calls with its own key is rejected at once', async ({ caller }) => {
    await caller.run({}, async () => {
      await assert.rejects(
        caller.run({}, async () => 1),
        isIdempotencyInProgressError,
      )
      return 1
    })
  })

  prove('a record counts as absent after its retention, and is replaced', async ({ caller }) => {
    await caller.run({ retentionMs: 60 }, async () => 'old')
    await until(
      () => caller.find({}),
      ({ found }) => !found,
    )
    assert.equal(await caller.run({ payload: 'another' }, async () => 'new'), 'new')
  })

  prove('purge deletes expired records, some at a time, and no others', async ({ caller }) => {
    for (let n = 0; n < 5; n += 1) await caller.run({ key: `old ${n}`, retentionMs: 1 }, async () => n)
    await caller.run({ key: 'kept' }, async () => 'kept')
    await until(
      () => caller.find({ key: 'old 4' }),
      ({ found }) => !found,
    )
    for (const purged of abilities.purges ? [3, 2] : []) assert.equal(await caller.purge({ limit: 3 }), purged)
    assert.equal(await caller.purge({ limit: 3 }), 0)
    assert.equal((await caller.find({ key: 'kept' })).found, true)
  })

  prove('keys are exact: quotes, percent signs, case and characters of any script', async ({ caller }) => {
    const keys = ["'", '"', '%', '_', '?', ':k', 'A', 'a', '한글', '🔒', '\u00e9', 'e\u0301', ' ', 'a'.repeat(255)]
    for (const key of keys) assert.equal(await caller.run({ key }, async () => key), key)
    for (const key of keys) assert.equal(await caller.run({ key }, async () => 'again'), key)
  })

  prove(
    'a final error is stored and replayed',
    async ({ caller }) => {
      const call = { finalErrors: brokeErrors }
      let runs = 0
      const handler = async () => {
        runs += 1
        throw new Broke('insufficient balance')
      }
      const isStored = (error: unknown) => error instanceof Broke && error.message === 'insufficient balance'
      await assert.rejects(caller.run(call, handler), isStored)
      await assert.rejects(caller.run(call, handler), isStored)
      assert.equal(runs, 1)
      await assert.rejects(caller.find(call), isStored)
    },
    abilities.finalErrors,
  )
}
