import diagnosticsChannel from 'node:diagnostics_channel'
import { afterEach, describe, expect, test } from 'vitest'
import {
  type EventChannel,
  events,
  memoryIdempotencyStore,
  memoryLockStore,
  memoryVersionedStore,
  optimisticUpdate,
  StoreError,
  withDistributedLock,
  withIdempotency,
} from '../src/index.ts'
import { FaultyLockStore } from './support/faulty-lock-store.ts'
import { settle, VirtualTime } from './support/virtual-time.ts'

const ends: (() => void)[] = []
afterEach(() => {
  for (const end of ends.splice(0)) end()
})

/** What the channels of a guard publish from now on, in order, by their names. */
function listen(channels: object): [string, object][] {
  const seen: [string, object][] = []
  for (const [event, channel] of Object.entries<EventChannel<object>>(channels as never)) {
    const listener = (message: object) => seen.push([event, message])
    channel.subscribe(listener)
    ends.push(() => channel.unsubscribe(listener))
  }
  return seen
}

describe('C2: what the lock did can be seen', () => {
  test('a renewal that failed, and the loss that came of it', async () => {
    const time = new VirtualTime()
    const store = new FaultyLockStore({ environment: time })
    const seen = listen(events.lock)
    store.always('extend', 'fail')
    const call = withDistributedLock({ store, key: 'k', ttlMs: 1_000, whenLost: 'return' }, async (lease) => {
      await new Promise<void>((resolve) => lease.signal.addEventListener('abort', () => resolve()))
    })
    await time.advance(1_000)
    await call
    const names = seen.map(([name]) => name)
    expect(names[0]).toBe('acquired')
    expect(names).toContain('commandFailed')
    expect(names.slice(-2)).toEqual(['lost', 'ended'])
    expect(seen.find(([name]) => name === 'commandFailed')?.[1]).toMatchObject({
      key: 'k',
      command: 'extend',
      error: { code: 'STORE_ERROR' },
    })
    expect(seen.at(-2)?.[1]).toMatchObject({ key: 'k', error: { code: 'LEASE_LOST' } })
    expect(seen.at(-1)?.[1]).toMatchObject({ key: 'k', lost: true })
  })
})

describe('C2: what idempotency did can be seen', () => {
  test('completed, replayed and joined, failed', async () => {
    const seen = listen(events.idempotency)
    const store = memoryIdempotencyStore()
    const call = (run: () => number) => withIdempotency({ store, key: 'a', scope: 's', onAmbiguous: 'rerun' }, run)
    await expect(
      call(() => {
        throw new Error('declined')
      }),
    ).rejects.toThrow()
    await Promise.all([call(() => 1), call(() => 2)])
    await call(() => 3)
    const record = { store: 'memory', scope: 's', key: 'a' }
    expect(seen).toEqual([
      ['failed', { ...record, error: expect.objectContaining({ message: 'declined' }) }],
      ['completed', { ...record, attempts: 1, durationMs: expect.any(Number) }],
      ['replayed', { ...record, joined: true }],
      ['replayed', { ...record, joined: false }],
    ])
  })

  test('the claim of the dead that was taken over', async () => {
    const time = new VirtualTime()
    const store = memoryIdempotencyStore({ environment: time })
    const first = withIdempotency({ store, key: 'b', onAmbiguous: 'rerun' }, () => 1)
    await first
    const { fingerprint } = (await store.find({ scope: '', key: 'b' })) as { fingerprint: string }
    const dead = { scope: '', key: 'a', fingerprint, payload: null, owner: 'dead', leaseMs: 10, retentionMs: 60_000 }
    await store.claim({ ...dead, takeOver: false })
    await time.advance(11)
    const seen = listen(events.idempotency)
    await withIdempotency({ store, key: 'a', onAmbiguous: 'rerun' }, () => 1)
    expect(seen.map(([name]) => name)).toEqual(['takenOver', 'completed'])
    expect(seen[0]?.[1]).toEqual({ store: 'memory', scope: '', key: 'a', attempt: 2 })
  })
})

describe('C2: what the optimistic update did can be seen', () => {
  test('updated, conflicts, attempts that were repeated, failed', async () => {
    const time = new VirtualTime()
    const store = memoryVersionedStore<number, { n: number }>({ rows: [[1, { n: 0 }]], environment: time })
    const { compareAndSet } = store
    let fault: 'busy' | 'conflict' | undefined = 'busy'
    store.compareAndSet = async (request) => {
      const now = fault
      fault = now === 'busy' ? 'conflict' : undefined
      if (now === 'busy') throw new StoreError('busy', { transient: true })
      return now === 'conflict' ? { stored: false } : compareAndSet.call(store, request)
    }
    const seen = listen(events.optimistic)
    const call = optimisticUpdate({ store, id: 1 }, ({ n }) => ({ n: n + 1 }))
    await time.advance(1_000)
    await call
    await expect(optimisticUpdate({ store, id: 2 }, (row) => row)).rejects.toThrow()
    expect(seen).toEqual([
      ['retried', { store: 'memory', id: 1, attempt: 1, cause: expect.objectContaining({ message: 'busy' }) }],
      ['conflict', { store: 'memory', id: 1, expectedVersion: 1, attempt: 2 }],
      ['updated', { store: 'memory', id: 1, version: 2, attempts: 3, locked: false }],
      ['failed', { store: 'memory', id: 2, attempts: 1, error: expect.objectContaining({ code: 'ROW_NOT_FOUND' }) }],
    ])
  })
})

describe('tracing channels', () => {
  test.each(['lock', 'idempotency', 'optimistic'] as const)(
    '%s: start and end surround the call, errors are told',
    async (guard) => {
      const seen: string[] = []
      const handlers = {
        start: () => void seen.push('start'),
        asyncEnd: () => void seen.push('asyncEnd'),
        error: (message: object) => void seen.push(`error ${Reflect.get(Reflect.get(message, 'error'), 'message')}`),
      }
      const channel = diagnosticsChannel.tracingChannel(`concurrency-kit:${guard}`)
      channel.subscribe(handlers as never)
      ends.push(() => channel.unsubscribe(handlers as never))
      const locks = memoryLockStore()
      const records = memoryIdempotencyStore()
      const rows = memoryVersionedStore({ rows: [[1, { n: 0 }]] })
      const call = {
        lock: (run: () => { n: number }) => withDistributedLock({ store: locks, key: 'k' }, run),
        idempotency: (run: () => { n: number }) =>
          withIdempotency({ store: records, key: 'k', onAmbiguous: 'refuse' }, run),
        optimistic: (run: () => { n: number }) => optimisticUpdate({ store: rows, id: 1 }, run),
      }[guard]
      await call(() => {
        seen.push('work')
        return { n: 1 }
      })
      const declined = () => {
        throw new Error('declined')
      }
      if (guard === 'idempotency') await records.purge({ limit: 1 })
      const fails =
        guard === 'idempotency'
          ? withIdempotency({ store: records, key: 'other', onAmbiguous: 'refuse' }, declined)
          : call(declined)
      await expect(fails).rejects.toThrow('declined')
      expect(seen).toEqual(['start', 'work', 'asyncEnd', 'start', 'error declined', 'asyncEnd'])
    },
  )
})

test('a listener that throws reaches no guard: the process hears of it', async () => {
  const uncaught: unknown[] = []
  const others = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', (error) => uncaught.push(error))
  const listener = () => {
    throw new Error('listener')
  }
  events.lock.acquired.subscribe(listener)
  ends.push(() => events.lock.acquired.unsubscribe(listener))
  expect(await withDistributedLock({ store: memoryLockStore(), key: 'k' }, () => 'done')).toBe('done')
  await settle()
  process.removeAllListeners('uncaughtException')
  for (const other of others) process.on('uncaughtException', other)
  expect(uncaught).toMatchObject([{ message: 'listener' }])
})
