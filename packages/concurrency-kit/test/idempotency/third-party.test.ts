import { setTimeout } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { idempotencyStoreContract } from '../../src/entries/testing.ts'
import { type LeasedIdempotencyStore, memoryIdempotencyStore } from '../../src/index.ts'
import { outcomesOf } from '../support/outcomes.ts'
import { asAnotherProcess } from '../support/processes.ts'

/** Looks whether there is a record, and inserts one a little later without a unique key. */
function checkThenInsert(): LeasedIdempotencyStore {
  const behind = memoryIdempotencyStore()
  const known = new Set<string>()
  return asAnotherProcess(behind, {
    claim: async (request) => {
      const absent = !known.has(request.key)
      await setTimeout(2)
      known.add(request.key)
      const claim = await behind.claim(request)
      return absent && claim.status === 'in_progress' ? { status: 'claimed', attempt: 1 } : claim
    },
  })
}

/** Completes the record whoever has it by now. */
function lateOwnerCompletes(): LeasedIdempotencyStore {
  const behind = memoryIdempotencyStore()
  const owners = new Map<string, string>()
  return asAnotherProcess(behind, {
    claim: async (request) => {
      const claim = await behind.claim(request)
      if (claim.status === 'claimed') owners.set(request.key, request.owner)
      return claim
    },
    complete: (request) => behind.complete({ ...request, owner: owners.get(request.key) ?? request.owner }),
  })
}

describe('the published contract catches an idempotency store', () => {
  for (const [fault, open, seenBy] of [
    [
      'that checks and then inserts',
      checkThenInsert,
      'verbs, through one store object > leased: of many concurrent claims, one is granted',
    ],
    [
      'that lets a late owner complete',
      lateOwnerCompletes,
      'verbs, through one store object > leased: a late owner neither completes, renews nor abandons what was taken over (I2)',
    ],
  ] as const) {
    test(fault, async () => {
      const { failed, passed } = await outcomesOf((runner) =>
        idempotencyStoreContract(
          runner,
          fault,
          async () => {
            const store = open()
            return { store, rival: asAnotherProcess(store), close: async () => {} }
          },
          { kind: 'leased' },
        ),
      )
      expect(failed).toContain(seenBy)
      expect(passed).not.toEqual([])
    })
  }
})
