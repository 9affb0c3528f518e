import { createHash } from 'node:crypto'
import { scenarioOf } from './scenario.ts'
import { sealed } from './sealed.ts'
import { Simulation } from './simulation.ts'
import type { Violation } from './world.ts'

export interface Run {
  readonly seed: number
  readonly steps: number
  /** How many beliefs of sections were compared with the store's word. */
  readonly compared: number
  readonly violation: Violation | undefined
  readonly trace: readonly string[]
}

export function fingerprint({ trace }: Run): string {
  return createHash('sha256').update(trace.join('\n')).digest('hex')
}

/** Runs what `seed` stands for, in no time, to its end or to the first violation. */
export async function simulate(seed: number): Promise<Run> {
  const rejections: unknown[] = []
  const onRejection = (reason: unknown) => rejections.push(reason)
  process.on('unhandledRejection', onRejection)
  const simulation = new Simulation(seed, scenarioOf(seed))
  try {
    await sealed(() => simulation.run())
    // Node.js tells of what nobody caught when the ticks are over.
    await new Promise(setImmediate)
  } finally {
    process.off('unhandledRejection', onRejection)
  }
  const { world, invariants } = simulation
  if (rejections.length > 0) world.violated('no rejection is unhandled', String(rejections[0]))
  return { seed, steps: world.steps, compared: invariants.compared, violation: world.violation, trace: world.trace }
}
