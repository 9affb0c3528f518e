import type { Engines } from '../../src/demo/cluster/engines.ts'
import { checkFile } from './check-file.ts'
import type { Verdict } from './checker.ts'
import { CLIENTS, Clients } from './clients.ts'
import { injectFaults } from './faults.ts'
import { startFleet } from './fleet.ts'
import { FORMAT_VERSION } from './format.ts'
import { USERS } from './mix.ts'
import { nowMicros, Recorder } from './recorder.ts'
import type { Tally } from './tally.ts'

const INSTANCES = 4

export interface HistoryPlan {
  readonly operations: number
  readonly seed: number
  readonly file: string
  /** How many operations go by until the next fault, on average; undefined for none. */
  readonly faultEvery?: number
  /** Of the servers, such as `IDEMPOTENCY: 'off'`. */
  readonly settings?: Readonly<Record<string, string>>
  readonly onProgress?: (tally: Tally) => void
}

export interface HistoryReport {
  readonly tally: Tally
  readonly faults: ReadonlyMap<string, number>
  readonly verdict: Verdict
  /** Keys with a record that says that they are done. */
  readonly completed: number
  /** How long the operations took, the settling of what was open, and the check. */
  readonly tookMs: { readonly operations: number; readonly settling: number; readonly check: number }
}

const PROGRESS_MS = 5_000

/** Writes a history of servers under faults into a file, and judges it from there. */
export async function runHistory(engines: Engines, plan: HistoryPlan): Promise<HistoryReport> {
  const { operations, seed, file, faultEvery, settings, onProgress } = plan
  const fleet = await startFleet(INSTANCES, engines, { ...settings, SEED_USERS: String(USERS) })
  const recorder = new Recorder(file)
  try {
    const balances = Object.fromEntries(await fleet.ledger.balances())
    const version = FORMAT_VERSION
    recorder.write({ kind: 'history', version, seed, instances: INSTANCES, processes: CLIENTS, balances })
    const ports = fleet.instances.map(({ port }) => port)
    const clients = new Clients(ports, operations, seed, recorder)
    const progress = setInterval(() => onProgress?.(clients.tally), PROGRESS_MS)
    const startedMs = performance.now()
    const faults = faultEvery ? injectFaults({ fleet, engines, clients }, faultEvery, seed, recorder) : new Map()
    await clients.run()
    clearInterval(progress)
    const loadedMs = performance.now()
    const injected = await faults
    await clients.settle()
    clients.close()
    await fleet.stop()
    const invoked = nowMicros()
    const final = Object.fromEntries(await fleet.ledger.balances())
    recorder.write({ kind: 'end', invoked, answered: nowMicros(), balances: final })
    const completed = (await fleet.ledger.completed()).size
    recorder.close()
    const settledMs = performance.now()
    const verdict = await checkFile(file)
    const tookMs = {
      operations: loadedMs - startedMs,
      settling: settledMs - loadedMs,
      check: performance.now() - settledMs,
    }
    return { tally: clients.tally, faults: injected, verdict, completed, tookMs }
  } finally {
    await fleet.stop()
  }
}
