/**
 * Bytes allocated per section: in a process whose young generation is too large to be collected meanwhile, all that its
 * heap and its buffers grow by, garbage included, is what the sections have allocated.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { memoryWays } from '../memory-lock.ts'
import { ways } from '../redis-locks/ways.ts'
import type { Job } from './worker.ts'

const FLAGS = ['--expose-gc', '--min-semi-space-size=512', '--max-semi-space-size=512']

export async function allocationInMemory(): Promise<void> {
  const names = Object.keys(memoryWays())
  for (const callers of [1, 500])
    await print(`${callers} callers, one key, in memory`, names, { callers, distinctKeys: false })
}

export async function allocationOnRedis(redisUrl: string): Promise<void> {
  const names = Object.keys(ways)
  for (const callers of [1, 100]) {
    const title = `${callers} callers, each with a key of its own, on Redis`
    await print(title, names, { redisUrl, callers, distinctKeys: true })
  }
  // Peers that ask again and again allocate as long as they wait.
  await print('500 callers, one key, on Redis', ['concurrency-kit'], { redisUrl, callers: 500, distinctKeys: false })
}

async function print(title: string, names: readonly string[], job: Omit<Job, 'way'>): Promise<void> {
  console.log(`\nallocated per section: ${title}`)
  let first: number | undefined
  for (const way of names) {
    const bytes = await inProcess({ ...job, way })
    first ??= bytes
    const shown = Math.round(bytes).toLocaleString('en-US').padStart(12)
    console.log(`${way.padEnd(34)} ${shown} bytes  × ${(bytes / first).toFixed(2)}`)
  }
}

async function inProcess(job: Job): Promise<number> {
  const execArgv = [...process.execArgv, ...FLAGS]
  const child = fork(path.join(import.meta.dirname, 'worker.ts'), { execArgv })
  child.send(job)
  const [bytes] = await once(child, 'message')
  return bytes as number
}
