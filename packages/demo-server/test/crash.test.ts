import { expect, test } from 'vitest'
import { crash } from './crash.ts'
import { embedded } from './support/backing.ts'

test('C9: killed under load and started again, every acknowledged charge is there once, and no other money', async () => {
  const backing = await embedded()
  const { acknowledged, faults } = await crash(backing, { kills: 2, loadMs: 400 })
  await backing.discard()
  expect(faults).toEqual([])
  expect(acknowledged).toBeGreaterThan(0)
})
