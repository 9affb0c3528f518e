/** One process that holds a key or waits for it: `child.ts <role as JSON>`, told by messages what happens to it. */

import { acquireLock, withDistributedLock } from '../../src/index.ts'
import { createRegisters, FileRegister } from '../faults/arenas/sqlite/register.ts'
import { nowMs } from '../faults/timing.ts'
import { SkewedTime } from '../support/skewed-time.ts'
import { connectTo } from '../support/sqlite.ts'
import { type Event, HOUR_MS, type Role, TTL_MS } from './role.ts'
import { openStore } from './stores.ts'

const role: Role = JSON.parse(process.argv[2] as string)
const { key } = role
const time = new SkewedTime()
const { store } = await openStore(role, time)
const registers = connectTo(role.registers)
if (role.is === 'holder') await createRegisters(registers)
const register = role.is === 'holder' ? await FileRegister.create(registers, key) : new FileRegister(registers, key)
const tell = (message: object) => process.send?.(message)
process.once('disconnect', () => process.exit())

async function wait(): Promise<void> {
  tell({ waits: true })
  await withDistributedLock({ store, key, ttlMs: TTL_MS, waitMs: 60_000, whenLost: 'return' }, async (lease) => {
    const takenMs = nowMs()
    const written = await register.write(await register.read(), lease.fencingToken)
    tell({ takenMs, written })
  })
}

async function hold(): Promise<void> {
  const lease = await acquireLock({ store, key, ttlMs: TTL_MS })
  const read = await register.read()
  let heldMs = 0
  let told = false
  // As a section looks that asks before each step.
  const look = () => {
    const atMs = nowMs()
    try {
      lease.assertHeld()
      heldMs = atMs
    } catch {
      if (!told) tell({ heldMs, knewMs: nowMs(), aborted: lease.signal.aborted })
      told = true
    }
  }
  process.on('message', async (message: Event | 'write') => {
    if (message === 'write') tell({ lateWrite: await register.write(read, lease.fencingToken) })
    else {
      suffer(message)
      // Before any timer of the engine's has fired.
      look()
    }
  })
  setInterval(look, 1)
  tell({ token: String(lease.fencingToken) })
}

function suffer(event: Event): void {
  if (event === 'wall +1 h') time.stepWall(HOUR_MS)
  if (event.startsWith('wall -1 h')) time.stepWall(-HOUR_MS)
  if (event === 'suspend') time.missMonotonic(2 * TTL_MS)
  if (event === 'suspend' || event === 'stall' || event === 'wall -1 h, stall')
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2 * TTL_MS)
}

await (role.is === 'holder' ? hold() : wait())
