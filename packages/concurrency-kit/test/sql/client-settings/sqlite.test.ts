import { describe, expect, test } from 'vitest'
import { runContract } from './run-contract.ts'
import { SETTINGS } from './settings.ts'
import { ON_SQLITE } from './suites.ts'

describe.each(Object.keys(ON_SQLITE))('%s on SQLite', (suite) => {
  test.each(SETTINGS)('V5: keeps its contract, and the process running, with %s', async (setting) => {
    expect(await runContract('SQLite', suite, setting)).toMatchObject({ failed: [] })
  })
})
