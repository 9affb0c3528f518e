import { expect, test } from 'vitest'
import { optimisticUpdate } from '../../src/optimistic/optimistic-update.ts'
import { memoryVersionedStore } from '../../src/optimistic/stores/memory.ts'
import type { VersionedStore } from '../../src/optimistic/versioned-store.ts'
import { deferred } from '../support/rival.ts'
import { settle, VirtualTime } from '../support/virtual-time.ts'

interface Names {
  readonly names: readonly string[]
}

/** Rows whose lock is granted when the test says so; every compare-and-set meets a rival. */
function setUp() {
  const time = new VirtualTime()
  const rows = memoryVersionedStore<number, Names>({ rows: [1, 2].map((id) => [id, { names: [] }]) })
  const grants: (() => void)[] = []
  let conflicts = 0
  const store: VersionedStore<number, Names> = {
    name: 'granting',
    transactional: false,
    environment: { clock: time, random: () => 0.5 },
    read: (request) => rows.read(request),
    compareAndSet: async () => {
      conflicts += 1
      return { stored: false }
    },
    updateLocked: async (request, change) => {
      const granted = deferred()
      grants.push(granted.resolve)
      await granted.promise
      return rows.updateLocked?.(request, change)
    },
  }
  const call = (name: string, options: { id?: number; signal?: AbortSignal; lockAfter?: number } = {}) =>
    optimisticUpdate({ store, id: 1, lockAfter: 1, ...options }, ({ names }) => ({ names: [...names, name] }))
  const grant = async () => {
    grants.shift()?.()
    await settle()
  }
  return { time, store, rows, grants, call, grant, conflicts: () => conflicts }
}

test('C5: those who are to lock a row stand in line, first come, first served, and newcomers behind them', async () => {
  const { call, grant, grants, conflicts } = setUp()
  const calls = [call('a')]
  await settle()
  for (const name of ['b', 'c', 'd']) calls.push(call(name))
  await settle()
  expect([grants.length, conflicts()]).toEqual([1, 1])
  for (let turn = 1; turn <= 4; turn += 1) await grant()
  expect((await Promise.all(calls)).map(({ names }) => names.join(''))).toEqual(['a', 'ab', 'abc', 'abcd'])
  expect([grants.length, conflicts()]).toEqual([0, 1])
})

test('another row has a line of its own, and a line that is over is forgotten', async () => {
  const { call, grant, grants, conflicts } = setUp()
  const calls = [call('a'), call('b', { id: 2 })]
  await settle()
  expect(grants.length).toBe(2)
  await grant()
  await grant()
  expect((await Promise.all(calls)).map(({ names }) => names)).toEqual([['a'], ['b']])
  const before = conflicts()
  const late = call('c')
  await settle()
  expect(conflicts()).toBe(before + 1)
  await grant()
  expect((await late).names).toEqual(['a', 'c'])
})

test('who leaves by its signal, or fails, lets the next go on', async () => {
  const { call, grant, grants, store } = setUp()
  const abort = new AbortController()
  const first = call('a')
  await settle()
  const left = call('b', { signal: abort.signal }).catch((error) => error)
  const failing = optimisticUpdate({ store, id: 1, lockAfter: 1 }, () => {
    throw new Error('its own')
  }).catch((error) => error.message)
  const last = call('d')
  await settle()
  abort.abort('left')
  expect(await left).toBe('left')
  for (let turn = 1; turn <= 3; turn += 1) await grant()
  expect([(await first).names, await failing, (await last).names]).toEqual([['a'], 'its own', ['a', 'd']])
  expect(grants.length).toBe(0)
})

test('an asynchronous change leaves the line at once: nobody waits for it', async () => {
  const { call, grant, store } = setUp()
  const first = call('a')
  await settle()
  const never = new Promise<Names>(() => {})
  void optimisticUpdate({ store, id: 1, lockAfter: 1 }, () => never)
  const last = call('c')
  await settle()
  for (let turn = 1; turn <= 3; turn += 1) await grant()
  expect([(await first).names, (await last).names]).toEqual([['a'], ['a', 'c']])
})

test('who is never to lock the row is not in line either', async () => {
  const { time, call, grant, conflicts } = setUp()
  const first = call('a')
  await settle()
  const never = call('b', { lockAfter: 10 }).catch((error) => error.code)
  await time.advance(10_000)
  expect([await never, conflicts()]).toEqual(['VERSION_CONFLICT', 11])
  await grant()
  expect((await first).names).toEqual(['a'])
})

test('V2: an id of several columns is the same row by its content, whatever object it is in whatever order', async () => {
  const grants: (() => void)[] = []
  const store: VersionedStore<Readonly<Record<string, number>>, Names> = {
    name: 'granting',
    transactional: false,
    read: async () => ({ value: { names: [] }, version: 1 }),
    compareAndSet: async () => ({ stored: false }),
    updateLocked: async (_request, change) => {
      const granted = deferred()
      grants.push(granted.resolve)
      await granted.promise
      const changed = change({ value: { names: [] }, version: 1 })
      return changed && { ...changed, version: 2 }
    },
  }
  const call = (id: Readonly<Record<string, number>>) =>
    optimisticUpdate({ store, id, lockAfter: 1, backoff: { baseMs: 0, capMs: 0 } }, () => ({ names: [] }))
  const calls = [call({ tenant_id: 1, id: 7 })]
  await expect.poll(() => grants.length).toBe(1)
  calls.push(call({ id: 7, tenant_id: 1 }), call({ tenant_id: 2, id: 7 }))
  await expect.poll(() => grants.length).toBe(2)
  grants[0]?.()
  await calls[0]
  await expect.poll(() => grants.length).toBe(3)
  for (const grant of grants) grant()
  await Promise.all(calls)
})
