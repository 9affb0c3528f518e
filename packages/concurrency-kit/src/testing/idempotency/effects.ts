import assert from 'node:assert/strict'
import type { Prove } from '../runner.ts'
import { Broke, brokeErrors, type IdempotencyStoreAbilities, type Subject } from './callers.ts'

/** Tests that a handler's effects commit or roll back with the record, through one store object and through two. */
export function transactionalEffects(prove: Prove<Subject>, abilities: Required<IdempotencyStoreAbilities>): void {
  const transactional = (title: string, body: (subject: Subject) => Promise<void>, applies = true) =>
    prove(`transactional: ${title}`, body, applies && abilities.kind === 'transactional')

  transactional('an effect is committed with its record, once', async ({ caller, rival, effects }) => {
    for (const each of [caller, caller, rival]) assert.equal(await each.run({}, (effect) => effect().then(() => 1)), 1)
    assert.equal(await effects(), 1)
  })

  transactional('of concurrent callers on two store objects only one has an effect', async (subject) => {
    const { caller, rival, effects } = subject
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        (index % 2 === 0 ? caller : rival).run({ waitMs: 20_000 }, (effect) => effect().then(() => 1)),
      ),
    )
    assert.equal(await effects(), 1)
  })

  transactional('an error undoes the effects', async ({ caller, effects }) => {
    const failed = caller.run({}, async (effect) => {
      await effect()
      throw new Broke('provider down')
    })
    await assert.rejects(failed, Broke)
    assert.equal(await effects(), 0)
  })

  transactional('a result that JSON cannot carry undoes the effects', async ({ caller, effects }) => {
    const bad = caller.run({}, async (effect) => {
      await effect()
      return 2n
    })
    await assert.rejects(bad)
    assert.equal(await effects(), 0)
  })

  transactional(
    'a final error undoes the effects, and is stored',
    async ({ caller, rival, effects }) => {
      const call = { finalErrors: brokeErrors }
      for (const each of [caller, rival]) {
        const failed = each.run(call, async (effect) => {
          await effect()
          throw new Broke('insufficient balance')
        })
        await assert.rejects(failed, Broke)
      }
      assert.equal(await effects(), 0)
      await assert.rejects(caller.find(call), Broke)
    },
    abilities.finalErrors,
  )
}
