import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks'
import { afterEach, describe, expect, test } from 'vitest'
import { isIdempotencyInProgressError } from '../../src/errors.ts'
import { events } from '../../src/events.ts'
import { memoryIdempotencyStore } from '../../src/idempotency/stores/memory.ts'
import { withIdempotency } from '../../src/idempotency/with-idempotency.ts'
import { anothersJob, jobQueues } from '../support/job-queues.ts'
import { deferred } from '../support/rival.ts'
import { settle, VirtualTime } from '../support/virtual-time.ts'

interface Options {
  readonly reentrance?: 'refuse' | 'wait'
  readonly waitMs?: number
  readonly signal?: AbortSignal
}

function setUp() {
  const time = new VirtualTime()
  const store = memoryIdempotencyStore({ environment: time })
  const call = (handler: () => unknown, options: Options = {}) =>
    withIdempotency({ store, key: 'order-1', onAmbiguous: 'rerun', ...options }, handler as () => Promise<string>)
  return { time, call }
}

const never = () => expect.unreachable('this handler must not run')

describe.each(Object.entries(jobQueues))('another caller’s job that %s starts inside a handler', (_, open) => {
  test('X1: is refused by default, and the error says how a job is bound to its own caller', async () => {
    const { call } = setUp()
    const { outcome, end, running } = await anothersJob(open(), call, () => call(never))
    const error = await outcome.catch((reason) => reason)
    expect(isIdempotencyInProgressError(error)).toBe(true)
    expect(String(error)).toMatch(/AsyncResource\.bind.*reentrance: 'wait'/)
    end.resolve('paid')
    expect(await running).toBe('paid')
  })

  test.each([
    ['where it is bound to its own caller', AsyncResource.bind, 'refuse'],
    ["with reentrance: 'wait'", (job: () => Promise<string>) => job, 'wait'],
  ] as const)('X1: joins the run %s', async (_how, bound, reentrance) => {
    const { call } = setUp()
    const job = bound(() => call(never, { reentrance }))
    const { outcome, end, running } = await anothersJob(open(), call, job)
    end.resolve('paid')
    expect([await outcome, await running]).toEqual(['paid', 'paid'])
  })
})

test("X1: a nested call with reentrance: 'wait' waits as long as any other, and is then told of the nesting", async () => {
  const { time, call } = setUp()
  const inner = deferred<unknown>()
  const running = call(async () => {
    inner.resolve(await call(never, { reentrance: 'wait', waitMs: 50 }).catch((error) => error))
    return 'paid'
  })
  await time.advance(50)
  const error = await inner.promise
  expect(isIdempotencyInProgressError(error)).toBe(true)
  expect(String(error)).toMatch(/did not end within 50 ms: this asynchronous context already runs it/)
  expect(await running).toBe('paid')
})

test('X1: a failed run hands on to a job of its own context, which is then not nested', async () => {
  const { call } = setUp()
  const { outcome, end, running } = await anothersJob(jobQueues['a worker loop'](), call, () =>
    call(() => 'mine', { reentrance: 'wait' }),
  )
  end.reject(new Error('declined'))
  await expect(running).rejects.toThrow('declined')
  expect(await outcome).toBe('mine')
})

test('X1: reentrance is refuse or wait', async () => {
  const { call } = setUp()
  await expect(call(never, { reentrance: 'ignore' as 'wait' })).rejects.toThrow(
    'reentrance must be one of "refuse", "wait", but is "ignore"',
  )
})

describe('the events of a call that joined another', () => {
  const traceId = new AsyncLocalStorage<string>()
  const ends: (() => void)[] = []
  afterEach(() => {
    for (const end of ends.splice(0)) end()
  })

  test('X1: are published in its own context, as its handler runs in it', async () => {
    const seen: string[] = []
    for (const name of ['completed', 'replayed', 'failed'] as const) {
      const listener = () => seen.push(`${name} on ${traceId.getStore()}`)
      events.idempotency[name].subscribe(listener as never)
      ends.push(() => events.idempotency[name].unsubscribe(listener as never))
    }
    const { time, call } = setUp()
    const declined = deferred<string>()
    const named = (name: string, handler: () => unknown, options: Options = {}) =>
      traceId.run(name, () => call(handler, options)).catch(() => {})
    const abort = new AbortController()
    const calls = [
      named('first', () => declined.promise),
      named('late', never, { waitMs: 10 }),
      named('aborted', never, { signal: abort.signal }),
      named('second', () => traceId.getStore()),
      named('third', never),
    ]
    await traceId.run('time', () => time.advance(10))
    traceId.run('aborter', () => abort.abort())
    await settle()
    declined.reject(new Error('declined'))
    const results = await Promise.all(calls)
    expect(results.slice(3)).toEqual(['second', 'second'])
    expect(seen).toEqual([
      'failed on late',
      'failed on aborted',
      'failed on first',
      'completed on second',
      'replayed on third',
    ])
  })
})
