/** One process that contends: `child.ts <file of locks> <file of registers> <key>`, until it is told to stop. */
import { knexLockStore } from '../../../../src/entries/knex.ts'
import { events } from '../../../../src/index.ts'
import { connectTo } from '../../../support/sqlite.ts'
import { runCallers } from '../../callers.ts'
import type { Report } from '../../observer.ts'
import { Presence } from '../../presence.ts'
import { COMMAND_MS, nowMs } from '../../timing.ts'
import { FileRegister } from './register.ts'

const [locksFile = '', registersFile = '', key = ''] = process.argv.slice(2)
const report = (each: Report) => {
  process.send?.(each)
}
const locks = connectTo(locksFile)
const registers = connectTo(registersFile)
const store = knexLockStore({ knex: locks, commandMs: COMMAND_MS })
events.lock.lost.subscribe(() => report({ what: 'lost', atMs: nowMs() }))
// Whoever started it is gone.
const orphaned = () => process.exit()
process.once('disconnect', orphaned)
process.send?.('ready')
const stop = runCallers({
  store,
  key,
  register: new FileRegister(registers, key),
  presence: new Presence(report),
  report,
})
process.once('message', async () => {
  await stop()
  await store.close()
  await Promise.all([locks.destroy(), registers.destroy()])
  process.removeListener('disconnect', orphaned)
  process.disconnect()
})
