import { expect } from 'vitest'
import { acquireLock } from '../../../src/lock/acquire-lock.ts'
import { scripts, textOfBytes } from '../../support/random-text.ts'
import { rivalOn } from '../../support/rival.ts'
import type { Pitfall } from './pitfall.ts'

const MAX_BYTES = 1_024

/** Keys as long as they may be, and longer. */
export const limits: readonly Pitfall[] = [
  {
    number: 'V13',
    title:
      'the longest key of any script is held, waited for and handed over; a longer one is refused, with its length',
    prove: async ({ one, two, open }) => {
      const three = await open()
      for (const script of scripts) {
        const key = textOfBytes(script, MAX_BYTES)
        const held = await acquireLock({ store: one, key })
        expect((await rivalOn(two, key).acquire()).acquired).toBe(false)
        const waiting = [two, three].map(async (store) => (await acquireLock({ store, key, waitMs: 20_000 })).release())
        await expect(acquireLock({ store: one, key, waitMs: 50 })).rejects.toThrow('was not free')
        await held.release()
        await Promise.all(waiting)

        // From 2685 bytes on, a waiter's row was too long for an index of Postgres; from 2720 on, the lease's too.
        for (const bytes of [2_685, 2_720, MAX_BYTES + 1]) {
          const tooLong = acquireLock({ store: one, key: textOfBytes(script, bytes), waitMs: 0 })
          const message = `key must have at most ${MAX_BYTES} bytes as UTF-8, but has ${bytes}`
          await expect(tooLong).rejects.toThrow(new RangeError(message))
        }
      }
    },
  },
]
