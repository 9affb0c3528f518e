import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect } from 'vitest'
import { onDocker } from '../../../concurrency-kit/test/support/engines.ts'
import { type Engines, findEngines } from '../../src/demo/cluster/engines.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { violationTexts } from './report.ts'
import { type HistoryPlan, runHistory } from './run.ts'

/** Draws these faults first. */
const DIVERSE_SEED = 1398
const DRAWN_EARLY = [
  'server killed',
  'server stopped',
  'line to Redis cut',
  'line to Postgres cut',
  'answer to a COMMIT cut off',
  'Postgres killed and restarted',
  'Redis restarted, empty',
]

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

  const run = (name: string, plan: Omit<HistoryPlan, 'file'>) => {
    if (engines === undefined) throw new Error('no engines')
    return runHistory(engines, { file: join(folder, name), ...plan })
  }

  onDocker.test(
    '20 000 operations under faults: each key is charged once, balances are linearizable',
    { timeout: 180_000 },
    async () => {
      const plan = { operations: 20_000, seed: DIVERSE_SEED, faultEvery: 1_000 }
      const { tally, faults, verdict, completed } = await run('faults', plan)
      expect(violationTexts(verdict)).toEqual([])
      expect([verdict.open, verdict.undecided, tally.unforeseen]).toEqual([0, [], 0])
      expect(verdict.keys).toBe(completed)
      expect(verdict.keys).toBe(tally.intents.charge)
      expect([...faults.keys()]).toEqual(expect.arrayContaining(DRAWN_EARLY))
      expect(tally.outcomes.unknown).toBeGreaterThan(0)
    },
  )

  onDocker.test('without the guards, charges done twice and lost updates are seen', async () => {
    const settings = { IDEMPOTENCY: 'off', LOCK: 'off', VERSION_CHECK: 'off' }
    const { verdict } = await run('no guards', { operations: 1_000, seed: 1, settings })
    const kinds = verdict.violations.map(({ kind }) => kind)
    expect(kinds).toEqual(expect.arrayContaining(['two answers', 'lost update', 'wrong sum']))
  })
})
