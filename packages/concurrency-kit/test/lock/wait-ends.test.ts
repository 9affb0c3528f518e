import { expect, test } from 'vitest'
import { WaitEnds, Waiter } from '../../src/lock/waiter.ts'
import { WaitingLine } from '../../src/lock/waiting-line.ts'
import { VirtualTime } from '../support/virtual-time.ts'

class CountedLine extends WaitingLine {
  looks = 0

  override [Symbol.iterator](): Iterator<Waiter> {
    this.looks += 1
    return super[Symbol.iterator]()
  }
}

function waitsOn(time: VirtualTime) {
  const waiters = new CountedLine()
  const over: number[] = []
  const waitEnds = new WaitEnds(time, waiters, (waiter) => {
    waiters.delete(waiter)
    over.push(waiter.wanted.waitMs)
  })
  const enter = (waitMs: number) => {
    const waiter = new Waiter(
      { ttlMs: 1_000, waitMs, signal: undefined, nested: false },
      time.monotonicMs(),
      () => {},
      () => {},
    )
    waiters.add(waiter)
    waitEnds.watch(waiter)
    return waiter
  }
  return { waiters, over, waitEnds, enter }
}

const ascending = (a: number, b: number) => a - b

test('waits that end one after the other are each over in their ms, and not each looked for among all', async () => {
  const time = new VirtualTime()
  const { waiters, over, enter } = waitsOn(time)
  const waitsMs = Array.from({ length: 10_000 }, (_, index) => ((index * 7_919) % 10_000) + 1)
  for (const waitMs of waitsMs) enter(waitMs)
  for (let passed = 0; passed < 50; passed += 1) {
    await time.advance(1)
    expect(over).toHaveLength(passed + 1)
  }
  time.stall(9_950)
  await time.advance(1)
  expect(over).toEqual(waitsMs.sort(ascending))
  expect(waiters.looks).toBeLessThan(20)
  expect(time.pendingTimers).toBe(0)
})

test('who comes after a look and waits less long than all the others is not forgotten', async () => {
  const time = new VirtualTime()
  const { over, enter } = waitsOn(time)
  for (const waitMs of [10, 500, 900, 5_000]) enter(waitMs)
  await time.advance(10)
  expect(over).toEqual([10])
  enter(20)
  enter(15)
  await time.advance(25)
  expect(over).toEqual([10, 15, 20])
  await time.advance(5_000)
  expect(over).toEqual([10, 15, 20, 500, 900, 5_000])
})

test('one who was there at the last look and is watched again causes no other', async () => {
  const time = new VirtualTime()
  const { waiters, over, waitEnds, enter } = waitsOn(time)
  enter(1)
  const others = [100, 200, 300].map(enter)
  await time.advance(1)
  const { looks } = waiters
  for (const other of others) waitEnds.watch(other)
  await time.advance(300)
  expect(over).toEqual([1, 100, 200, 300])
  expect(waiters.looks).toBe(looks)
})

test('a wait that ends well is not over later, and those that end together are over in their order', async () => {
  const time = new VirtualTime()
  const { waiters, over, enter } = waitsOn(time)
  enter(100)
  const [served] = [150, 160, 160.5, 160].map(enter)
  await time.advance(100)
  waiters.delete(served as Waiter)
  await time.advance(1_000)
  expect(over).toEqual([100, 160, 160, 160.5])
  expect(time.pendingTimers).toBe(0)
})
