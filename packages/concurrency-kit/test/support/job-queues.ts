import { EventEmitter } from 'node:events'
import fastq from 'fastq'
import PQueue from 'p-queue'
import { deferred } from './rival.ts'
import { settle } from './virtual-time.ts'

type Job = () => Promise<unknown>

/** Adds a job to a queue that runs one at a time. */
export type Push = (job: Job) => void

function workerLoop(): Push {
  const jobs: Job[] = []
  let running = false
  const work = async () => {
    running = true
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) await job().catch(() => {})
    running = false
  }
  return (job) => {
    jobs.push(job)
    if (!running) void work()
  }
}

function eventEmitter(): Push {
  const jobs: Job[] = []
  const worker = new EventEmitter()
  let running = false
  const run = (job: Job | undefined) => {
    running = job !== undefined
    const ended = () => worker.emit('idle')
    job?.().then(ended, ended)
  }
  worker.on('idle', () => run(jobs.shift()))
  return (job) => {
    if (running) jobs.push(job)
    else run(job)
  }
}

/** Queues that start a job in the asynchronous context of the caller that woke them. */
export const jobQueues = {
  'p-queue': (): Push => {
    const queue = new PQueue({ concurrency: 1 })
    return (job) => void queue.add(job).catch(() => {})
  },
  fastq: (): Push => {
    const queue = fastq.promise((job: Job) => job(), 1)
    return (job) => void queue.push(job).catch(() => {})
  },
  'a worker loop': workerLoop,
  'an event emitter': eventEmitter,
}

/**
 * Starts another caller's `job` through `push` while `run` is in its section or handler, and in its context.
 *
 * @param run - Gets the section or handler, which lasts until `end` is resolved or rejected.
 */
export async function anothersJob<Result>(
  push: Push,
  run: (during: () => Promise<string>) => Promise<unknown>,
  job: () => Promise<Result>,
) {
  const [busy, end] = [deferred(), deferred<string>()]
  const running = run(() => {
    push(() => busy.promise)
    return end.promise
  })
  await settle()
  const outcome = new Promise<Result>((resolve, reject) => {
    push(() => job().then(resolve, reject))
  })
  outcome.catch(() => {})
  busy.resolve()
  await settle()
  return { outcome, end, running }
}
