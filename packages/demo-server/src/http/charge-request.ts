import type { ChargeCommand } from '../charge-balance.ts'
import { idempotencyKeyOf } from './idempotency-key.ts'
import { type JsonObject, parseJsonObject } from './json-object.ts'
import { problems, Refusal } from './problems.ts'
import { canonicalId, wholeNumberIn } from './whole-number.ts'

/** @throws Refusal naming the first thing that is wrong with the request. */
export function chargeCommandOf(
  userId: string,
  body: Buffer | undefined,
  keyHeader: string | undefined,
): ChargeCommand {
  const id = userIdOf(userId)
  if (body === undefined) throw new Refusal(problems.bodyNoObject)
  const object = parseJsonObject(body)
  return {
    idempotencyKey: idempotencyKeyOf(object.values.idempotencyKey, keyHeader),
    userId: id,
    amount: amountOf(object),
  }
}

export function userIdOf(text: string): number {
  const userId = canonicalId(text)
  if (userId === undefined) throw new Refusal(problems.userIdInvalid)
  return userId
}

function amountOf({ values, numberTexts }: JsonObject): number {
  if (values.amount === undefined || values.amount === null) throw new Refusal(problems.amountMissing)
  const text = numberTexts.get('amount')
  if (text === undefined) throw new Refusal(problems.amountNoNumber)
  const amount = wholeNumberIn(text)
  if (amount === 'fraction') throw new Refusal(problems.amountNotWhole)
  if (amount === 'too large') throw new Refusal(problems.amountTooLarge)
  if (amount === 'too small' || amount < 1) throw new Refusal(problems.amountTooSmall)
  return amount
}
