import { expect } from 'vitest'
import { findReplay } from '../../../src/idempotency/find-replay.ts'
import { scripts, textOfCharacters } from '../../support/random-text.ts'
import { deferred } from '../../support/rival.ts'
import type { RecordPitfall } from './pitfall.ts'

/** Keys and scopes as long as they may be. */
export const limits: readonly RecordPitfall[] = [
  {
    number: 'V13',
    title: 'the longest key in the longest scope, of any script, is claimed, waited for, found and replayed',
    async prove({ one, two }) {
      for (const script of scripts) {
        const call = { key: textOfCharacters(script, 255), scope: textOfCharacters(script, 255), waitMs: 20_000 }
        const [began, done] = [deferred(), deferred<string>()]
        const running = one.run(call, () => {
          began.resolve()
          return done.promise
        })
        await began.promise
        const waiting = two.run(call, () => expect.unreachable())
        done.resolve('done')
        expect(await running).toBe('done')
        expect(await waiting).toBe('done')
        expect(await findReplay({ ...call, store: two.store })).toEqual({ found: true, result: 'done' })
      }
    },
  },
]
