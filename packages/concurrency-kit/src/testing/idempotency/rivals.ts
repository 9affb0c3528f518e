import assert from 'node:assert/strict'
import { isFingerprintMismatchError, isIdempotencyInProgressError, isStoreError } from '../../errors.ts'
import { type Prove, until } from '../runner.ts'
import { Broke, brokeErrors, type Caller, type IdempotencyStoreAbilities, type Subject } from './callers.ts'

const never = async () => assert.fail('a rival ran as well')
const LONG = { waitMs: 20_000 }

/** Tests callers on two store objects, for both kinds of store: these do not join each other. */
export function idempotencyRivals(prove: Prove<Subject>, abilities: Required<IdempotencyStoreAbilities>): void {
  prove('a rival gets what was stored', async ({ caller, rival }) => {
    await caller.run({}, async () => 'done')
    assert.equal(await rival.run({}, never), 'done')
    assert.deepEqual(await rival.find({}), { found: true, result: 'done' })
  })

  prove('a rival with another payload is refused', async ({ caller, rival }) => {
    await caller.run({ payload: 1 }, async () => 'done')
    await assert.rejects(rival.run({ payload: 2 }, never), isFingerprintMismatchError)
    await assert.rejects(rival.find({ payload: 2 }), isFingerprintMismatchError)
  })

  prove('a rival that does not wait is rejected during a run, and finds no record', async ({ caller, rival }) => {
    const running = await begin(caller)
    // A store without a connection for a second transaction rejects with another error.
    const refused = (error: unknown) => isIdempotencyInProgressError(error) || isStoreError(error)
    await assert.rejects(rival.run({ waitMs: 0 }, never), refused)
    assert.deepEqual(await rival.find({}), { found: false })
    running.finish()
    assert.equal(await running.result, 'done')
    assert.equal(await rival.run({}, never), 'done')
  })

  prove('a waiting rival gets the result of the run in flight', async ({ caller, rival }) => {
    const running = await begin(caller)
    const waiting = handled(rival.run(LONG, never))
    await new Promise(setImmediate)
    running.finish()
    assert.equal(await running.result, 'done')
    assert.equal(await waiting, 'done')
  })

  prove('a waiting rival runs if the run in flight fails', async ({ caller, rival }) => {
    const running = await begin(caller)
    const waiting = handled(rival.run(LONG, async () => 'mine'))
    await new Promise(setImmediate)
    running.fail(new Broke('provider down'))
    await assert.rejects(running.result, Broke)
    assert.equal(await waiting, 'mine')
    assert.equal(await caller.run({}, never), 'mine')
  })

  prove('concurrent callers on two store objects run the handler once', async ({ caller, rival }) => {
    let runs = 0
    const handler = async () => {
      runs += 1
      await new Promise(setImmediate)
      return { run: runs }
    }
    const calls = Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? caller : rival).run(LONG, handler))
    for (const answer of await Promise.all(calls)) assert.deepEqual(answer, { run: 1 })
    assert.equal(runs, 1)
  })

  prove('a record that has expired is replaced by a rival', async ({ caller, rival }) => {
    await caller.run({ retentionMs: 60 }, async () => 'old')
    await until(
      () => rival.find({}),
      ({ found }) => !found,
    )
    assert.equal(await rival.run({ payload: 'another' }, async () => 'new'), 'new')
    assert.equal(await caller.run({ payload: 'another' }, never), 'new')
  })

  prove(
    'a final error is replayed to a rival',
    async ({ caller, rival }) => {
      const call = { finalErrors: brokeErrors }
      const failed = caller.run(call, async () => {
        throw new Broke('insufficient balance')
      })
      await assert.rejects(failed, Broke)
      await assert.rejects(rival.run(call, never), Broke)
    },
    abilities.finalErrors,
  )
}

/** A handler that stays pending until the test settles it. */
async function begin(caller: Caller) {
  const began = Promise.withResolvers<void>()
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const result = handled(
    caller.run({}, () => {
      began.resolve()
      return promise
    }),
  )
  await Promise.race([began.promise, result])
  return { result, finish: () => resolve('done'), fail: reject }
}

/** Marks a promise as handled: it may reject before the test awaits it. */
function handled<Result>(promise: Promise<Result>): Promise<Result> {
  promise.catch(() => {})
  return promise
}
