import type { Chance } from '../../../concurrency-kit/test/simulator/chance.ts'
import type { Charge, Keys } from './keys.ts'
import type { Intent } from './tally.ts'

export const USERS = 100
/** Users who get most of it: several clients are at each of them all the time. */
const HOT_USERS = 6
const HOT_SHARE = 0.7
/** Up to which share of the operations it is a new charge, a repeated key, a key with another amount, and else a balance. */
const [CHARGES, REPEATS, OTHER_PAYLOADS] = [0.25, 0.54, 0.55]
const MOST_AMOUNT = 100_000

/** A request for a charge, or without a key for a balance. */
export type Wanted = Charge | { readonly key?: undefined; readonly user: number; readonly amount?: undefined }

/** What a client does next; `isOpen` tells of a key that was not answered yet. */
export function drawOperation(chance: Chance, keys: Keys, isOpen: (key: string) => boolean): [Intent, Wanted] {
  const user = chance.happens(HOT_SHARE) ? chance.whole(1, HOT_USERS) : chance.whole(HOT_USERS + 1, USERS)
  const share = chance.unit()
  if (share < CHARGES) return ['charge', keys.next(user, chance.whole(1, MOST_AMOUNT), chance)]
  const old = share < OTHER_PAYLOADS ? keys.old(chance) : undefined
  if (old === undefined) return ['balance', { user }]
  // With another amount only what was answered: one that is open is to be settled with its own.
  if (share < REPEATS || isOpen(old.key)) return ['repeat', old]
  return ['other payload', { ...old, amount: old.amount + 1 }]
}
