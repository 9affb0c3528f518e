/** A process of its own that waits for a lock: `child.ts <kind of store> <where> <key>`. */
import { acquireLock } from '../../../src/lock/acquire-lock.ts'
import { type LockProcessKind, lockProcesses } from '../../support/lock-processes.ts'

const [kind = '', where = '', key = ''] = process.argv.slice(2)
const { store } = await lockProcesses[kind as LockProcessKind](where)
await acquireLock({ store, key, waitMs: 60_000 })
