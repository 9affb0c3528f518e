import { fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import type { KeysJob } from './keys-worker.ts'
import { medians, type Point } from './medians.ts'
import type { Row } from './results.ts'
import type { Servers } from './servers.ts'

const KEYS = [1, 100, 10_000, 100_000, 1_000_000]

/** 100 callers go round more and more keys: what a section costs, and what a key costs while it is held and afterwards. */
export function measureKeys(rounds: number, { redisUrl }: Servers): Promise<Row[]> {
  const places: { at: Row; job: Omit<KeysJob, 'keys'> }[] = [
    { at: { way: 'concurrency-kit', store: 'memory' }, job: {} },
    { at: { way: 'concurrency-kit', store: 'Redis' }, job: { redisUrl } },
    { at: { way: 'raw SET NX PX', store: 'Redis' }, job: { redisUrl, way: 'raw SET NX PX' } },
  ]
  const points = places.flatMap(({ at, job }) =>
    KEYS.map((keys): Point => ({ at: { ...at, keys }, run: () => inProcess({ ...job, keys }) })),
  )
  return medians(points, rounds)
}

async function inProcess(job: KeysJob): Promise<Record<string, number>> {
  const execArgv = [...process.execArgv, '--expose-gc', '--max-old-space-size=8192']
  const child = fork(path.join(import.meta.dirname, 'keys-worker.ts'), { execArgv, serialization: 'advanced' })
  child.send(job)
  const [figures] = await once(child, 'message')
  return figures as Record<string, number>
}
