import { randomUUID } from 'node:crypto'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { type Change, memoryVersionedStore, optimisticUpdate } from '../../src/index.ts'

interface Order {
  readonly lines: readonly { readonly id: string; readonly count: number }[]
  readonly paid: boolean
  readonly tags: Set<string>
}

const first: Order = { lines: [{ id: 'a', count: 1 }], paid: false, tags: new Set(['new']) }
const openStore = () => memoryVersionedStore<number, Order>({ rows: [[1, first]] })
const update = (change: Change<Order, number>, store = openStore()) =>
  optimisticUpdate({ store, id: 1, checkPurity: true }, change)

/** Runs in sloppy mode, where a write to a frozen object is ignored. */
const sloppy = (body: string) => new Function('order', body) as Change<Order, number>

afterEach(() => vi.unstubAllEnvs())

describe('a check of purity', () => {
  test.each<[string, () => Change<Order, number>, string]>([
    [
      'makes an id of its own',
      () => (order) => ({ ...order, lines: [...order.lines, { id: randomUUID(), count: 1 }] }),
      'change is not pure: run again on the same value, it made $.lines[1].id "',
    ],
    [
      'counts its calls',
      (calls = 0) =>
        (order) => ({ ...order, paid: calls++ > 0 }),
      'change is not pure: run again on the same value, it made $.paid true of false',
    ],
    [
      'throws the second time',
      (calls = 0) =>
        (order) => {
          if (calls++ > 0) throw new Error('once only')
          return { ...order }
        },
      'change is not pure: run again on the same value, it threw',
    ],
    [
      'writes to a set',
      () => (order) => {
        order.tags.add('paid')
        return { ...order, paid: true }
      },
      'change must not write to its value, but made $.tags an object of an object',
    ],
    [
      'writes to its value in sloppy mode',
      () => sloppy('order.paid = true; return order'),
      'change must not write to its value, but made $.paid true of false',
    ],
    [
      'writes deep down in sloppy mode',
      () => sloppy('order.lines[0].count += 1; return { ...order, paid: true }'),
      'change must not write to its value, but made $.lines[0].count 2 of 1',
    ],
  ])('refuses a change that %s, sync or async, and names it; nothing is written', async (_what, make, message) => {
    const [sync, behind] = [make(), make()]
    for (const change of [sync, async (...given: Parameters<typeof behind>) => behind(...given)]) {
      const store = openStore()
      await expect(update(change, store)).rejects.toThrow(message)
      expect(await store.read({ id: 1, lock: false })).toEqual({ value: first, version: 1 })
    }
  })

  test('lets a pure one through, and one that returns what it got', async () => {
    expect(await update((order) => ({ ...order, paid: true }))).toEqual({ ...first, paid: true })
    expect(await update((order) => order)).toEqual(first)
    expect(await update(async (order) => ({ ...order, lines: [] }))).toEqual({ ...first, lines: [] })
  })

  test('gives instances of classes as they are', async () => {
    class Money {
      readonly won: number
      constructor(won: number) {
        this.won = won
      }
      plus(won: number) {
        return new Money(this.won + won)
      }
    }
    const store = {
      name: 'instances',
      transactional: false,
      read: async () => ({ value: new Money(1), version: 1 }),
      compareAndSet: async ({ value }: { value: Money }) => ({ stored: true as const, value, version: 2 }),
    }
    const stored = await optimisticUpdate({ store, id: 1, checkPurity: true }, (money) => money.plus(2))
    expect(stored).toEqual(new Money(3))
  })

  test.each([
    ['development', 2],
    ['production', 1],
    ['test', 1],
    [undefined, 1],
  ])('with NODE_ENV=%s a change runs %d times', async (environment, runs) => {
    vi.stubEnv('NODE_ENV', environment)
    let ran = 0
    await optimisticUpdate({ store: openStore(), id: 1 }, (order) => {
      ran += 1
      return { ...order, paid: true }
    })
    expect(ran).toBe(runs)
  })

  test('is true or false', async () => {
    const options = { store: openStore(), id: 1, checkPurity: 'yes' as never }
    await expect(optimisticUpdate(options, (order) => order)).rejects.toThrow(
      'checkPurity must be one of true, false, but is "yes"',
    )
  })
})
