import type { Closing } from '../faults/arenas/closing.ts'
import { startPostgres, startRedis } from '../support/containers.ts'
import {
  canStepClocks,
  hasLocalPostgres,
  hasLocalRedis,
  SteppedClock,
  startSteppedPostgres,
  startSteppedRedis,
} from '../support/stepped-clock.ts'
import type { Place } from './lose.ts'
import type { StoreName } from './role.ts'

/** A server for the processes; undefined where a clock is to be stepped and the machine lacks what it takes. */
export async function openPlace(store: StoreName, stepped: boolean, closing: Closing): Promise<Place | undefined> {
  if (store === 'knex on SQLite') {
    if (!stepped) return { store }
    if (!canStepClocks) return undefined
    // The file's clock is that of the machine, and so of both processes.
    const { env, step } = closing.add(new SteppedClock(), (clock) => clock.close())
    return { store, env, stepServer: step }
  }
  if (stepped) {
    if (!(store === 'ioredis' ? hasLocalRedis : hasLocalPostgres)) return undefined
    const starting = store === 'ioredis' ? startSteppedRedis() : startSteppedPostgres()
    const { url, step } = closing.add(await starting, (server) => server.stop())
    return { store, where: url, stepServer: step }
  }
  if (store === 'ioredis') {
    const { ports } = closing.add(await startRedis(), (server) => server.stop())
    return { store, where: `redis://127.0.0.1:${ports[0]}` }
  }
  const { url } = closing.add(await startPostgres(), (server) => server.stop())
  return { store, where: url }
}
