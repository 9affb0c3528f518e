import { describe, expect, test } from 'vitest'
import { AmbiguousOutcomeError, NoEffectError } from '../../src/errors.ts'
import type { LeasedOptions, Probe } from '../../src/idempotency/idempotency-options.ts'
import type {
  AttemptResult,
  LeasedIdempotencyStore,
  TransactionalIdempotencyStore,
} from '../../src/idempotency/idempotency-store.ts'
import { memoryIdempotencyStore } from '../../src/idempotency/stores/memory.ts'
import { withIdempotency } from '../../src/idempotency/with-idempotency.ts'
import { asAnotherProcess } from '../support/processes.ts'
import { settle, VirtualTime } from '../support/virtual-time.ts'

const key = 'order-1'
const record = { key, scope: '' }

/** A record whose owner died while it ran, perhaps after its effect. */
async function vanished(time: VirtualTime): Promise<LeasedIdempotencyStore> {
  const store = memoryIdempotencyStore({ environment: time })
  const { fingerprint } = await fingerprintOfNothing(time)
  const claim = { ...record, fingerprint, payload: null, owner: 'dead', leaseMs: 1_000, retentionMs: 60_000 }
  await store.claim({ ...claim, takeOver: false })
  await time.advance(1_001)
  return store
}

async function fingerprintOfNothing(time: VirtualTime): Promise<{ fingerprint: string }> {
  const store = memoryIdempotencyStore({ environment: time })
  await withIdempotency({ key, store, onAmbiguous: 'refuse' }, () => 1)
  return (await store.find(record)) as { fingerprint: string }
}

describe('under a key whose owner vanished', () => {
  test('a probe that fails leaves the key as ambiguous as it was: the next caller probes again', async () => {
    const time = new VirtualTime()
    const store = await vanished(time)
    let ran = 0
    const call = (onAmbiguous: Probe<number>) =>
      withIdempotency({ key, store, onAmbiguous, finalErrors: everything }, () => {
        ran += 1
        return 1
      })
    const unreachable = new Error('the provider is not reachable')
    await expect(call(() => Promise.reject(unreachable))).rejects.toBe(unreachable)
    await time.advance(5)
    expect(await call(async () => ({ found: true, result: 42 }))).toBe(42)
    expect(ran).toBe(0)
  })

  test('a claim whose answers were lost may have taken over: the next caller probes all the same', async () => {
    const time = new VirtualTime()
    const store = await vanished(time)
    const silent = asAnotherProcess(store, {
      claim: async (request) => {
        await store.claim(request)
        throw new Error('connection reset')
      },
    })
    const found: Probe<number> = async () => ({ found: true, result: 42 })
    await expect(withIdempotency({ key, store: silent, onAmbiguous: found }, () => 1)).rejects.toThrow(
      'claim of shared',
    )
    await time.advance(5)
    expect(await withIdempotency({ key, store, onAmbiguous: found }, () => expect.unreachable())).toBe(42)
  })

  test('X4: a probe that finds nothing lets the handler run; if that throws, the next call probes again', async () => {
    const time = new VirtualTime()
    const store = await vanished(time)
    const nothing: Probe<number> = async () => ({ found: false })
    const attempts: number[] = []
    const call = (fails: boolean) =>
      withIdempotency({ key, store, onAmbiguous: nothing }, ({ attempt }) => {
        attempts.push(attempt)
        if (fails) throw new Error('declined')
        return 1
      })
    await expect(call(true)).rejects.toThrow('declined')
    await time.advance(5)
    expect(await call(false)).toBe(1)
    expect(attempts).toEqual([2, 3])
  })
})

describe('after a handler that threw AmbiguousOutcomeError', () => {
  const call = (store: LeasedIdempotencyStore, onAmbiguous: LeasedOptions<number>['onAmbiguous'], fails = false) =>
    withIdempotency({ key, store, onAmbiguous }, ({ attempt }) => {
      if (fails) throw new AmbiguousOutcomeError(key, 'the provider did not answer')
      return attempt
    })

  test.each<[string, LeasedOptions<number>['onAmbiguous'], unknown]>([
    ['refuse', 'refuse', 'AmbiguousOutcomeError'],
    ['rerun', 'rerun', 2],
    ['a probe that finds it', async () => ({ found: true, result: 42 }), 42],
    ['a probe that does not', async () => ({ found: false }), 2],
  ])('I3: its key is as ambiguous as that of a dead owner, at once: %s', async (_, onAmbiguous, becomes) => {
    const time = new VirtualTime()
    const store = memoryIdempotencyStore({ environment: time })
    await expect(call(store, onAmbiguous, true)).rejects.toThrow('the provider did not answer')
    await time.advance(5)
    expect(await call(store, onAmbiguous).catch(({ name }) => name)).toBe(becomes)
  })

  test.each<[string, (error: unknown) => string | undefined]>([
    ['takes every error', String],
    ['expects another error', (error) => String((error as { response: { status: number } }).response.status)],
    ['gives no string', () => ({}) as never],
  ])('I3: it is no final error, where finalErrors %s', async (_, encode) => {
    const time = new VirtualTime()
    const store = memoryIdempotencyStore({ environment: time })
    const unknown = new AmbiguousOutcomeError(key, 'the provider did not answer')
    const finalErrors = { encode, decode: (text: string) => new Error(text) }
    const call = (handler: () => number) =>
      withIdempotency({ key, store, onAmbiguous: 'refuse', finalErrors }, handler).catch((error) => error)
    const fails = () => {
      throw unknown
    }
    expect(await call(fails)).toBe(unknown)
    await time.advance(5)
    expect(await call(() => expect.unreachable('it ran again'))).toMatchObject({ code: 'AMBIGUOUS_OUTCOME' })
  })
})

describe('what hadNoEffect says of the error that the handler threw', () => {
  const failure = new Error('fetch failed')
  const call = (store: LeasedIdempotencyStore, options: Partial<LeasedOptions<number>>, error: unknown = failure) =>
    withIdempotency<number>({ key, store, onAmbiguous: 'refuse', ...options }, () => Promise.reject(error)).catch(
      (rejected: unknown) => rejected,
    )

  test.each<[string, Partial<LeasedOptions<number>>, unknown]>([
    ['nothing', {}, failure],
    ['no', { hadNoEffect: () => false }, failure],
    ['a promise of yes', { hadNoEffect: (async () => true) as never }, failure],
    ['no, though every other call may run again', { onAmbiguous: 'rerun', hadNoEffect: () => false }, failure],
    [
      'no, and finalErrors throws another error',
      {
        hadNoEffect: (error) => error !== failure,
        finalErrors: { encode: () => expect.fail('encode'), decode: () => undefined },
      },
      { message: 'encode' },
    ],
    ['nothing, because it throws', { hadNoEffect: () => expect.fail('hadNoEffect') }, { message: 'hadNoEffect' }],
  ])('X4: %s: the key is ambiguous', async (_, options, rejected) => {
    const time = new VirtualTime()
    const store = memoryIdempotencyStore({ environment: time })
    const found = await call(store, options)
    if (rejected === failure) expect(found).toBe(failure)
    else expect(found).toMatchObject(rejected as object)
    await time.advance(5)
    expect(await call(store, {})).toMatchObject({ code: 'AMBIGUOUS_OUTCOME' })
  })

  test('X4: it is not asked where the error says so by itself', async () => {
    const store = memoryIdempotencyStore()
    const hadNoEffect = () => expect.fail('asked')
    for (const error of [new NoEffectError('declined'), new AmbiguousOutcomeError(key, 'no answer')])
      expect(await call(store, { hadNoEffect }, error)).toBe(error)
  })

  test('X4: an error that is stored as final is final, and no other call runs', async () => {
    const store = memoryIdempotencyStore()
    for (const _ of [1, 2])
      expect(await call(store, { finalErrors: everything })).toMatchObject({ message: 'Error: fetch failed' })
  })
})

test('I3: a handler that its signal has ended may have had its effect: its key is ambiguous', async () => {
  const time = new VirtualTime()
  const store = memoryIdempotencyStore({ environment: time })
  const client = new AbortController()
  const sent = withIdempotency({ key, store, onAmbiguous: 'refuse', signal: client.signal }, ({ signal }) => {
    return new Promise<number>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  })
  sent.catch(() => {})
  await settle()
  client.abort('the client left')
  await expect(sent).rejects.toBe('the client left')
  await time.advance(5)
  const again = withIdempotency({ key, store, onAmbiguous: 'refuse' }, () => expect.unreachable('it ran again'))
  await expect(again).rejects.toMatchObject({ code: 'AMBIGUOUS_OUTCOME' })
})

test('I3: a probe that gives nothing has found nothing out: the next caller probes again', async () => {
  const time = new VirtualTime()
  const store = await vanished(time)
  const call = (onAmbiguous: Probe<number>) =>
    withIdempotency({ key, store, onAmbiguous }, () => expect.unreachable('it ran again'))
  await expect(call((async () => {}) as never)).rejects.toThrow(
    'onAmbiguous must give { found: true, result } or { found: false }, but gave undefined',
  )
  await time.advance(5)
  expect(await call(async () => ({ found: true, result: 42 }))).toBe(42)
})

/** Would store any error, a probe's too, if it were asked. */
const everything = { encode: (error: unknown) => String(error), decode: (text: string) => new Error(text) }

test('I3: the effect happened and the reply to completing it was lost: completed all the same, and run once', async () => {
  const time = new VirtualTime()
  const behind = memoryIdempotencyStore({ environment: time })
  let lost = 0
  const store = asAnotherProcess(behind, {
    complete: async (complete) => {
      const completed = await behind.complete(complete)
      lost += 1
      if (lost === 1) throw new Error('connection reset')
      return completed
    },
  })
  let ran = 0
  const call = () => withIdempotency({ key, store, onAmbiguous: 'refuse' }, () => ++ran)
  const first = call()
  await time.advance(100)
  expect(await first).toBe(1)
  expect(await call()).toBe(1)
  expect(lost).toBe(2)
})

test('a caller that joined a run which failed waits for others no longer than its own waitMs in all', async () => {
  const time = new VirtualTime()
  const store = memoryIdempotencyStore({ environment: time })
  const call = (handler: () => Promise<number>) =>
    withIdempotency({ key, store, onAmbiguous: 'refuse', waitMs: 1_000 }, handler)
  let fail: (error: Error) => void = () => {}
  const first = call(() => new Promise((_, reject) => (fail = reject)))
  const joined = call(async () => 1)
  const outcome = joined.then(String, (error) => `${error.name} at ${time.monotonicMs()}`)
  await time.advance(900)
  // Another process claims the key in the very moment in which the first run fails.
  store.claim = async () => ({ status: 'in_progress', fingerprint: (await fingerprintOfNothing(time)).fingerprint })
  fail(new Error('declined'))
  await expect(first).rejects.toThrow('declined')
  await time.advance(150)
  expect(await Promise.race([outcome, settle().then(() => 'still waiting')])).toMatch(/^IdempotencyInProgressError/)
})

describe('a COMMIT that was not answered', () => {
  /** What the store answers to each attempt, after running the handler where it says so. */
  function scripted(...answers: (AttemptResult | 'abort')[]): TransactionalIdempotencyStore<object> {
    return {
      name: 'scripted',
      kind: 'transactional',
      find: async () => undefined,
      purge: async () => 0,
      attempt: async (request, handler) => {
        const answer = answers.shift() ?? { status: 'in_progress' }
        if (answer === 'abort') {
          await new Promise((resolve) => request.signal?.addEventListener('abort', resolve))
          throw request.signal?.reason
        }
        if (answer.status !== 'in_progress') await handler({})
        return answer
      },
    }
  }
  const unanswered: AttemptResult = { status: 'retry', cause: new Error('connection reset'), ambiguous: true }

  test('is told as ambiguous whatever ends the call then, the caller’s own signal too', async () => {
    const leaving = new AbortController()
    const call = withIdempotency({ store: scripted(unanswered, 'abort'), key, signal: leaving.signal }, () => 1)
    const reason = new Error('the client went away')
    setTimeout(() => leaving.abort(reason), 20)
    await expect(call).rejects.toMatchObject({ code: 'AMBIGUOUS_OUTCOME', cause: reason })
    await expect(withIdempotency({ store: scripted(unanswered), key, waitMs: 0 }, () => 1)).rejects.toMatchObject({
      code: 'AMBIGUOUS_OUTCOME',
      cause: { code: 'IDEMPOTENCY_IN_PROGRESS' },
    })
  })
})
