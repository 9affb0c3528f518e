import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { sealed } from './sealed.ts'
import { fingerprint, simulate } from './simulate.ts'

const SEEDS = 2_000

test(`in ${SEEDS} simulated worlds one live holder per key, tokens increase, loss is known before takeover, first in first out, nobody starves, nothing leaks`, async () => {
  let steps = 0
  let compared = 0
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const run = await simulate(seed)
    steps += run.steps
    compared += run.compared
    if (run.violation !== undefined) console.log(run.trace.join('\n'))
    expect(run.violation, `seed ${seed}: pnpm -F concurrency-kit simulate 1 ${seed}`).toBeUndefined()
  }
  console.log(`${SEEDS} seeds: ${steps} steps, ${compared} beliefs compared with the store's word`)
  expect(steps).toBeGreaterThan(100 * SEEDS)
  expect(compared).toBeGreaterThan(50 * SEEDS)
}, 120_000)

test('the same seed runs the same way again, to the byte of its trace; another seed does not', async () => {
  const first: string[] = []
  for (let seed = 1; seed <= 50; seed += 1) first.push(fingerprint(await simulate(seed)))
  expect(new Set(first).size).toBe(50)
  for (let seed = 50; seed >= 1; seed -= 1) expect(fingerprint(await simulate(seed))).toBe(first[seed - 1])
})

test('inside, the system’s time and chance throw, and names are numbered; afterwards all is as before', async () => {
  await sealed(async () => {
    for (const ask of [() => Date.now(), () => performance.now(), () => Math.random(), () => setTimeout(() => {}, 1)])
      expect(ask).toThrow('is not the simulator’s')
    expect([randomUUID(), randomUUID()]).toEqual(['u1', 'u2'])
  })
  expect(randomUUID()).toHaveLength(36)
  expect(Date.now()).toBeGreaterThan(0)
})
