import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect } from 'vitest'
import { onDocker } from '../../../concurrency-kit/test/support/engines.ts'
import { type Engines, findEngines } from '../../src/demo/cluster/engines.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { violationTexts } from './report.ts'
import { type HistoryPlan, runHistory } from './run.ts'

onDocker.describe('a history of four servers', () => {
  const folder = temporaryFolder()
  let engines: Engines | undefined
  beforeAll(async () => {
    // None that others use, too: they are killed.
    engines = await findEngines({})
  }, 90_000)
  afterAll(async () => {
    await engines?.close()
    rmSync(folder, { recursive: true })
  })

  const run = (name: string, plan: Omit<HistoryPlan, 'file' | 'seed'>) => {
    if (engines === undefined) throw new Error('no engines')
    return runHistory(engines, { seed: 1, file: join(folder, name), ...plan })
  }

  onDocker.test(
    '20 000 operations under faults: each key is charged once, balances are linearizable',
    { timeout: 120_000 },
    async () => {
      const { tally, faults, verdict, completed } = await run('faults', { operations: 20_000, faultEvery: 1_000 })
      expect(violationTexts(verdict)).toEqual([])
      expect([verdict.open, verdict.undecided, tally.unforeseen]).toEqual([0, [], 0])
      expect(verdict.keys).toBe(completed)
      expect(verdict.keys).toBe(tally.intents.charge)
      expect([...faults.keys()]).toEqual(expect.arrayContaining(['server killed', 'line to Postgres cut']))
      expect(tally.outcomes.unknown).toBeGreaterThan(0)
    },
  )

  onDocker.test('without the guards, charges done twice and lost updates are seen', async () => {
    const settings = { IDEMPOTENCY: 'off', LOCK: 'off', VERSION_CHECK: 'off' }
    const { verdict } = await run('no guards', { operations: 1_000, settings })
    const kinds = verdict.violations.map(({ kind }) => kind)
    expect(kinds).toEqual(expect.arrayContaining(['two answers', 'lost update', 'wrong sum']))
  })
})
