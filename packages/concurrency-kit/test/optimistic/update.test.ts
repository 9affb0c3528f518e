import { describe, expect, test } from 'vitest'
import { isStoreError, isVersionConflictError, StoreError } from '../../src/errors.ts'
import { optimisticUpdate } from '../../src/optimistic/optimistic-update.ts'
import { memoryVersionedStore } from '../../src/optimistic/stores/memory.ts'
import { deferred } from '../support/rival.ts'
import { settle, VirtualTime } from '../support/virtual-time.ts'

interface Account {
  readonly balance: number
  readonly tags?: readonly string[]
}

/** One account, and a rival that writes it behind our back as often as told. */
function setUp({ random = () => 0.5 }: { random?: () => number } = {}) {
  const time = new VirtualTime()
  const store = memoryVersionedStore<number, Account>({
    rows: [[1, { balance: 100, tags: ['a'] }]],
    environment: { clock: time, random },
  })
  const counts = { writes: 0, locked: 0, rivals: 0 }
  const { compareAndSet, updateLocked } = {
    compareAndSet: store.compareAndSet.bind(store),
    updateLocked: store.updateLocked?.bind(store),
  }
  store.compareAndSet = async (request) => {
    counts.writes += 1
    if (counts.rivals > 0) {
      counts.rivals -= 1
      await compareAndSet({ ...request, value: { balance: 1_000 } })
    }
    return compareAndSet(request)
  }
  store.updateLocked = async (request, change) => {
    counts.locked += 1
    return updateLocked?.(request, change)
  }
  const balance = async () => (await store.read({ id: 1, lock: false }))?.value.balance
  return { time, store, counts, balance }
}

const credit = (account: Account) => ({ ...account, balance: account.balance + 1 })

describe('change', () => {
  test('gets a frozen value: writing to it throws, and nothing is stored', async () => {
    const { store, balance } = setUp()
    for (const change of [
      (account: Account) => Object.assign(account, { balance: 0 }),
      (account: Account) => {
        ;(account.tags as string[]).push('b')
        return { ...account }
      },
    ]) {
      await expect(optimisticUpdate({ store, id: 1 }, change)).rejects.toThrow(TypeError)
    }
    expect(await balance()).toBe(100)
  })

  test.each([
    [undefined, 'undefined'],
    [null, 'null'],
    [5, '5'],
    ['text', '"text"'],
    [() => 1, 'a function'],
    [[{ balance: 1 }], 'an array'],
    [new Map(), 'a Map'],
    [new Error('no'), 'a Error'],
    [new Date(0), 'a Date'],
    [(function* () {})(), 'a Generator'],
  ])('that returns %s is refused by name', async (returned, shown) => {
    const { store } = setUp()
    for (const change of [() => returned, async () => returned] as unknown as ((account: Account) => Account)[]) {
      await expect(optimisticUpdate({ store, id: 1 }, change)).rejects.toThrow(
        `change must return the new value, an object, but returned ${shown}`,
      )
    }
  })

  test('of a list must return a list, and of an instance may return a plain object', async () => {
    const lists = memoryVersionedStore<number, readonly number[]>({ rows: [[1, [1]]] })
    expect(await optimisticUpdate({ store: lists, id: 1 }, (list) => [...list, 2])).toEqual([1, 2])
    const change = () => ({ 0: 1 }) as unknown as readonly number[]
    await expect(optimisticUpdate({ store: lists, id: 1 }, change)).rejects.toThrow('an array, but returned an object')
    class Own {
      readonly balance = 1
    }
    const { store } = setUp()
    store.read = async () => ({ value: new Own(), version: 1 })
    expect(await optimisticUpdate({ store, id: 1 }, credit)).toEqual({ balance: 2 })
  })

  test('that writes to its frozen value fails with the name of what it wrote', async () => {
    const { store, balance } = setUp()
    const change = (account: Account) => {
      ;(account as { balance: number }).balance += 1
      return account
    }
    await expect(optimisticUpdate({ store, id: 1 }, change)).rejects.toThrow(
      /Cannot assign to read only property 'balance'/,
    )
    expect(await balance()).toBe(100)
  })

  test('that is slow is overtaken, and goes on with what it finds then; nothing else waits for it', async () => {
    const { time, store, balance } = setUp()
    const slow = deferred()
    const call = optimisticUpdate({ store, id: 1 }, async (account, { attempt }) => {
      if (attempt === 1) await slow.promise
      return credit(account)
    })
    await settle()
    await optimisticUpdate({ store, id: 1 }, credit)
    expect(await balance()).toBe(101)
    slow.resolve()
    await time.advance(1_000)
    expect(await call).toMatchObject({ balance: 102 })
  })

  test('that returns what it got, sync or async, writes nothing', async () => {
    const { store, counts } = setUp()
    await optimisticUpdate({ store, id: 1 }, (account) => account)
    await optimisticUpdate({ store, id: 1 }, async (account) => account)
    expect(counts.writes).toBe(0)
  })

  test('is told its attempt and the version it works on', async () => {
    const { time, store, counts } = setUp()
    counts.rivals = 2
    const seen: unknown[] = []
    const call = optimisticUpdate({ store, id: 1 }, (account, context) => {
      seen.push(context)
      return credit(account)
    })
    await time.advance(1_000)
    expect(await call).toEqual({ balance: 1_001 })
    expect(seen).toEqual([
      { attempt: 1, version: 1 },
      { attempt: 2, version: 2 },
      { attempt: 3, version: 3 },
    ])
  })

  test('I6: an error of its own comes through, once, whatever it looks like', async () => {
    const { store } = setUp()
    const own = new StoreError('mine', { transient: true })
    let ran = 0
    const change = () => {
      ran += 1
      throw own
    }
    await expect(optimisticUpdate({ store, id: 1 }, change)).rejects.toBe(own)
    expect(ran).toBe(1)
  })
})

describe('conflicts', () => {
  test('end after maxAttempts in an error that has both versions; nothing was written', async () => {
    const { time, store, counts } = setUp()
    counts.rivals = 99
    const call = optimisticUpdate({ store, id: 1, maxAttempts: 4, lockAfter: 99 }, credit).catch((error) => error)
    await time.advance(1_000)
    const error = await call
    expect(isVersionConflictError(error)).toBe(true)
    expect(error).toMatchObject({ id: 1, expectedVersion: 4, actualVersion: 5, attempts: 4 })
    expect(counts.writes).toBe(4)
  })

  test('C5: the pauses between them are random below a ceiling that doubles to a cap', async () => {
    const pauses = async (share: number) => {
      const { time, store, counts } = setUp({ random: () => share })
      counts.rivals = 9
      const at: number[] = []
      const call = optimisticUpdate({ store, id: 1, lockAfter: 99, backoff: { baseMs: 10, capMs: 40 } }, (account) => {
        at.push(time.monotonicMs())
        return credit(account)
      })
      await time.advance(1_000)
      await call
      return at.slice(1).map((ms, index) => Math.round(ms - (at[index] as number)))
    }
    expect(await pauses(1)).toEqual([10, 20, 40, 40, 40, 40, 40, 40, 40])
    expect(await pauses(0.25)).toEqual([2.5, 5, 10, 10, 10, 10, 10, 10, 10].map(Math.round))
    expect(await pauses(0)).toEqual(Array(9).fill(0))
  })

  test('C5: after lockAfter of them the row is changed under its lock, where nobody else can write', async () => {
    const { time, store, counts } = setUp()
    counts.rivals = 99
    const call = optimisticUpdate({ store, id: 1, lockAfter: 2 }, credit)
    await time.advance(1_000)
    expect(await call).toEqual({ balance: 1_001 })
    expect(counts).toMatchObject({ writes: 2, locked: 1 })
  })

  test('an asynchronous change is never run under a row lock', async () => {
    const { time, store, counts } = setUp()
    counts.rivals = 5
    const call = optimisticUpdate({ store, id: 1, lockAfter: 1 }, async (account) => credit(account))
    await time.advance(1_000)
    await call
    expect(counts.locked).toBe(0)
  })
})

describe('a store that fails', () => {
  test.each([true, false])('transient %s: tried again only if it is', async (transient) => {
    const { time, store } = setUp()
    let failed = 0
    const { read } = store
    store.read = (request) => {
      failed += 1
      if (failed <= 2) return Promise.reject(new StoreError('busy', { transient }))
      return read.call(store, request)
    }
    const call = optimisticUpdate({ store, id: 1 }, credit).catch((error) => error)
    await time.advance(1_000)
    expect(isStoreError(await call)).toBe(!transient)
    expect(failed).toBe(transient ? 3 : 1)
  })
})

describe('signal', () => {
  test('ends the backing off with its reason', async () => {
    const { store, counts } = setUp({ random: () => 1 })
    counts.rivals = 99
    const abort = new AbortController()
    const call = optimisticUpdate({ store, id: 1, signal: abort.signal, lockAfter: 99 }, credit).catch((error) => error)
    await settle()
    abort.abort('left')
    expect(await call).toBe('left')
    expect(counts.writes).toBe(1)
  })

  test('never ends a write in flight', async () => {
    const { store, balance } = setUp()
    const abort = new AbortController()
    const call = optimisticUpdate({ store, id: 1, signal: abort.signal }, (account) => {
      abort.abort('left')
      return credit(account)
    })
    expect(await call).toMatchObject({ balance: 101 })
    expect(await balance()).toBe(101)
  })

  test('that has aborted already reads nothing', async () => {
    const { store, counts } = setUp()
    await expect(optimisticUpdate({ store, id: 1, signal: AbortSignal.abort('left') }, credit)).rejects.toBe('left')
    expect(counts.writes).toBe(0)
  })
})
