import { expect, test } from 'vitest'
import { crash } from './crash.ts'

test('C9: killed under load and started again, every acknowledged charge is there once, and no other money', async () => {
  const { acknowledged, faults } = await crash(2, 400)
  expect(faults).toEqual([])
  expect(acknowledged).toBeGreaterThan(0)
})
