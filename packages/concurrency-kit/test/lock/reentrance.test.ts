import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks'
import { afterEach, describe, expect, test } from 'vitest'
import { isLockUnavailableError, isReentrantLockError, type ReentrantLockError } from '../../src/errors.ts'
import { events } from '../../src/events.ts'
import { acquireLock } from '../../src/lock/acquire-lock.ts'
import type { LockStore } from '../../src/lock/lock-store.ts'
import { memoryLockStore } from '../../src/lock/stores/memory.ts'
import { withDistributedLock } from '../../src/lock/with-distributed-lock.ts'
import { FaultyLockStore } from '../support/faulty-lock-store.ts'
import { anothersJob, jobQueues } from '../support/job-queues.ts'
import { deferred } from '../support/rival.ts'
import { settle, VirtualTime } from '../support/virtual-time.ts'

const key = 'seat:12A'

/** A caller that holds `key` while its section runs. */
const holding = (store: LockStore<true>) => (section: () => Promise<string>) =>
  withDistributedLock({ store, key }, section)

describe.each(Object.entries(jobQueues))('another caller’s job that %s starts inside a section', (_, open) => {
  test('X1: is refused by default, and the error says how a job is bound to its own caller', async () => {
    const store = memoryLockStore()
    const { outcome, end, running } = await anothersJob(open(), holding(store), () =>
      withDistributedLock({ store, key }, () => 'never'),
    )
    const error = await outcome.catch((reason: ReentrantLockError) => reason)
    expect(isReentrantLockError(error)).toBe(true)
    expect(String(error)).toMatch(/AsyncResource\.bind.*reentrance: 'wait'/)
    end.resolve('')
    await running
  })

  test('X1: waits for its turn where it is bound to its own caller', async () => {
    const store = memoryLockStore()
    const job = AsyncResource.bind(() => withDistributedLock({ store, key }, () => 'mine'))
    const { outcome, end, running } = await anothersJob(open(), holding(store), job)
    end.resolve('')
    expect(await outcome).toBe('mine')
    await running
  })

  test.each([
    ['withDistributedLock', (options: Parameters<typeof acquireLock>[0]) => withDistributedLock(options, () => 'mine')],
    [
      'acquireLock',
      async (options: Parameters<typeof acquireLock>[0]) => {
        await using _ = await acquireLock(options)
        return 'mine'
      },
    ],
  ])("X1: waits for its turn with reentrance: 'wait' (%s)", async (_name, call) => {
    const store = memoryLockStore()
    const { outcome, end, running } = await anothersJob(open(), holding(store), () =>
      call({ store, key: ['other', key], reentrance: 'wait' }),
    )
    end.resolve('')
    expect(await outcome).toBe('mine')
    await running
  })
})

describe("a nested call with reentrance: 'wait'", () => {
  test('X1: waits as long as any other, and is then told that its own context holds the key', async () => {
    const time = new VirtualTime()
    const store = memoryLockStore({ environment: time })
    const nested = deferred<Promise<unknown>>()
    const section = withDistributedLock({ store, key }, async () => {
      const inner = withDistributedLock({ store, key: [key, 'other'], waitMs: 50, reentrance: 'wait' }, () => 'never')
      nested.resolve(inner.catch((error) => error))
      await inner.catch(() => {})
    })
    await time.advance(50)
    const error = await nested.promise
    expect(isLockUnavailableError(error)).toBe(true)
    expect(String(error)).toContain('this asynchronous context already holds it')
    await section
  })

  test('X1: a caller of another context is told nothing of nesting', async () => {
    const store = memoryLockStore()
    const end = deferred()
    const section = withDistributedLock({ store, key }, () => end.promise)
    const error = await acquireLock({ store, key, waitMs: 0, reentrance: 'wait' }).catch((reason) => reason)
    expect(String(error)).not.toContain('context')
    end.resolve()
    await section
  })

  test('X1: reentrance is refuse or wait', async () => {
    const store = memoryLockStore()
    const options = { store, key, reentrance: 'ignore' as 'wait' }
    await expect(withDistributedLock(options, () => 1)).rejects.toThrow(
      'reentrance must be one of "refuse", "wait", but is "ignore"',
    )
  })
})

describe('a waiter’s events', () => {
  const traceId = new AsyncLocalStorage<string>()
  const ends: (() => void)[] = []
  afterEach(() => {
    for (const end of ends.splice(0)) end()
  })

  const watch = (...names: (keyof typeof events.lock)[]) => {
    const seen: string[] = []
    for (const name of names) {
      const listener = () => seen.push(`${name} on ${traceId.getStore()}`)
      events.lock[name].subscribe(listener as never)
      ends.push(() => events.lock[name].unsubscribe(listener as never))
    }
    return seen
  }

  test('X1: are published in its own context, not in that of the caller that hands the lock on', async () => {
    const seen = watch('acquired', 'ended')
    const store = memoryLockStore()
    const call = (name: string) => traceId.run(name, () => withDistributedLock({ store, key }, settle))
    await Promise.all([call('first'), call('second'), call('third')])
    expect(seen).toEqual(['first', 'second', 'third'].flatMap((name) => [`acquired on ${name}`, `ended on ${name}`]))
  })

  test('X1: so is its giving up, by time, by signal, by a store that fails and by one that is closed', async () => {
    const time = new VirtualTime()
    const store = memoryLockStore({ environment: time })
    const seen = watch('unavailable')
    const [end, abort] = [deferred(), new AbortController()]
    const section = traceId.run('holder', () => withDistributedLock({ store, key }, () => end.promise))
    const call = (name: string, options: object) =>
      traceId.run(name, () => withDistributedLock({ store, key, ...options }, () => 'never').catch(() => {}))
    const late = call('late', { waitMs: 100 })
    const aborted = call('aborted', { signal: abort.signal })
    const closedOn = call('closed', {})
    await traceId.run('time', () => time.advance(100))
    traceId.run('aborter', () => abort.abort())
    await settle()
    await traceId.run('closer', () => store.close())
    end.resolve()
    await Promise.all([late, aborted, closedOn, section.catch(() => {})])
    expect(seen).toEqual(['late', 'aborted', 'closed'].map((name) => `unavailable on ${name}`))
  })

  test('X1: the loss of a lease is published in the context of the section that has it', async () => {
    const time = new VirtualTime()
    const store = new FaultyLockStore({ environment: time })
    const seen = watch('lost')
    const [first, second] = [deferred(), deferred()]
    const call = (name: string, end: Promise<void>) =>
      traceId.run(name, () => withDistributedLock({ store, key, ttlMs: 1_000 }, () => end)).catch(() => {})
    const calls = [call('first', first.promise), call('second', second.promise)]
    await settle()
    first.resolve()
    await settle()
    store.always('extend', 'fail')
    await traceId.run('time', () => time.advance(2_000))
    second.resolve()
    await Promise.all(calls)
    expect(seen).toEqual(['lost on second'])
  })
})
