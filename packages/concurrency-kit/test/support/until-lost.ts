import { once } from 'node:events'
import { expect } from 'vitest'
import { isLeaseLostError } from '../../src/errors.ts'

/** Ms from now until each lease is known to be lost. */
export function untilLost(leases: readonly { signal: AbortSignal }[]): Promise<number[]> {
  const startedAt = performance.now()
  return Promise.all(
    leases.map(async ({ signal }) => {
      if (!signal.aborted) await once(signal, 'abort')
      expect(isLeaseLostError(signal.reason)).toBe(true)
      return performance.now() - startedAt
    }),
  )
}
