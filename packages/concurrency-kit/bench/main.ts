/** `npx -y pnpm@10 -F concurrency-kit bench [rounds]`: ratios in one run, paired rounds, medians. */
import { allocationInMemory } from './allocation/allocation.ts'
import { deadlines } from './deadlines.ts'
import { eventsWithoutSubscribers } from './events.ts'
import { memoryLock } from './memory-lock.ts'

const rounds = Number(process.argv[2] ?? 7)
await memoryLock(rounds)
await allocationInMemory()
await eventsWithoutSubscribers(rounds)
await deadlines(rounds)
