import fc from 'fast-check'
import { expect, test } from 'vitest'
import { optimisticUpdate } from '../../src/optimistic/optimistic-update.ts'
import { memoryVersionedStore } from '../../src/optimistic/stores/memory.ts'
import { VirtualTime } from '../support/virtual-time.ts'

const updates = fc.array(
  fc.record({
    adds: fc.integer({ min: 1, max: 9 }),
    asynchronous: fc.boolean(),
    maxAttempts: fc.integer({ min: 1, max: 6 }),
    lockAfter: fc.integer({ min: 1, max: 6 }),
  }),
  { minLength: 1, maxLength: 8 },
)

test('S8: over random interleavings of reads and writes the sum is what was acknowledged, and the version counts the writes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      updates,
      fc.infiniteStream(fc.double({ min: 0, max: 0.99, noNaN: true })),
      async (scheduler, planned, chance) => {
        const time = new VirtualTime()
        const random = () => chance.next().value as number
        const behind = memoryVersionedStore<number, { sum: number }>({ rows: [[1, { sum: 0 }]] })
        const store = {
          name: 'scheduled',
          transactional: false,
          // Pauses are turns in the scheduler too: it alone says who is next.
          environment: {
            clock: {
              ...time,
              monotonicMs: time.monotonicMs,
              wallMs: time.wallMs,
              setTimer: (wake: () => void) => void scheduler.schedule(Promise.resolve()).then(wake),
              clearTimer: () => {},
            },
            random,
          },
          read: scheduler.scheduleFunction(behind.read.bind(behind)),
          compareAndSet: scheduler.scheduleFunction(behind.compareAndSet.bind(behind)),
          updateLocked: scheduler.scheduleFunction(
            behind.updateLocked?.bind(behind) as NonNullable<typeof behind.updateLocked>,
          ),
        }
        let acknowledged = 0
        let writes = 0
        const calls = planned.map(({ adds, asynchronous, maxAttempts, lockAfter }) => {
          const add = ({ sum }: { sum: number }) => ({ sum: sum + adds })
          const change = asynchronous ? async (value: { sum: number }) => add(value) : add
          return optimisticUpdate({ store, id: 1, maxAttempts, lockAfter }, change).then(
            () => {
              acknowledged += adds
              writes += 1
            },
            (error) => expect(error).toMatchObject({ code: 'VERSION_CONFLICT', attempts: maxAttempts }),
          )
        })
        await scheduler.waitFor(Promise.all(calls))
        const row = await behind.read({ id: 1, lock: false })
        expect(row).toEqual({ value: { sum: acknowledged }, version: 1 + writes })
      },
    ),
    { seed: 1981, numRuns: 300 },
  )
})
