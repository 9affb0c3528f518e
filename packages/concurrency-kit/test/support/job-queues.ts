import { EventEmitter } from 'node:events'
import fastq from 'fastq'
import PQueue from 'p-queue'

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
