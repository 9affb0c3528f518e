import { expect, test } from 'vitest'
import { FeltFaults } from '../../src/demo/cluster/felt-faults.ts'

test('a fault is felt from the last charge before it to the first after it, by all and by each user', async () => {
  const felt = new FeltFaults([1, 2])
  felt.answered(1, 1_000)
  felt.answered(2, 1_100)
  const { promise: over, resolve: end } = Promise.withResolvers<void>()
  const during = felt.during('lost', () => over, 60_000)
  felt.answered(undefined, 1_200)
  felt.answered(undefined, 1_300)
  felt.answered(1, 2_000)
  end()
  // What waits for the end of the fault goes on first.
  await new Promise(setImmediate)
  felt.answered(1, 2_100)
  felt.answered(2, 4_000)
  await during
  felt.answered(undefined, 9_000)
  expect(felt.faults).toEqual([
    { name: 'lost', faultMs: expect.any(Number), failed: 2, gapMs: 1_900, userGapMs: 2_900, recovered: true },
  ])
})

test('a user who is not charged again in time is seen', async () => {
  const felt = new FeltFaults([1, 2])
  const during = felt.during('lost', async () => {}, 20)
  felt.answered(2, 1_000)
  await during
  expect(felt.faults).toMatchObject([{ name: 'lost', recovered: false }])
})
