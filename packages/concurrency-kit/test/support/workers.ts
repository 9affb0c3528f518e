import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fork } from './children.ts'

/** Processes that run `file`, one a job: each is told its job, answers when it is ready, and reports when it has done it. */
export async function inProcesses<Report>(
  file: string,
  jobs: readonly object[],
): Promise<{ readonly reports: readonly Report[]; readonly tookMs: number }> {
  const children = await Promise.all(jobs.map((job) => start(file, job)))
  const startMs = performance.now()
  const reports = await Promise.all(children.map((child) => finish<Report>(child)))
  return { reports, tookMs: performance.now() - startMs }
}

async function start(file: string, job: object): Promise<ChildProcess> {
  const child = fork(file, { execArgv: [], serialization: 'advanced' })
  child.send(job)
  await answerOf(child)
  return child
}

async function finish<Report>(child: ChildProcess): Promise<Report> {
  child.send('go')
  return (await answerOf(child)) as Report
}

async function answerOf(child: ChildProcess): Promise<unknown> {
  const over = new AbortController()
  const ended = once(child, 'exit', { signal: over.signal }).then(() => {
    throw new Error('a process of the campaign has ended by itself')
  })
  ended.catch(() => {})
  try {
    const [answer] = await Promise.race([once(child, 'message', { signal: over.signal }), ended])
    return answer
  } finally {
    over.abort()
  }
}
