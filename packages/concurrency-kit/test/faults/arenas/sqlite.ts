import { setTimeout } from 'node:timers/promises'
import type { Knex } from 'knex'
import { createTables } from '../../../src/entries/knex.ts'
import { whileBusy } from '../../../src/sql/while-busy.ts'
import { sqliteFile } from '../../support/sqlite.ts'
import type { Arena, ServerFault } from '../arena.ts'
import { TTL_MS } from '../timing.ts'
import { Closing } from './closing.ts'
import { twoOf } from './contestants.ts'
import { ProcessOnFile } from './sqlite/process-on-file.ts'
import { createRegisters, FileRegister } from './sqlite/register.ts'

/** Real processes on one file; this one is the stranger that gets in their way. */
export async function sqlite(): Promise<Arena> {
  const closing = new Closing()
  const locks = closing.add(sqliteFile(), (each) => each.close())
  const effects = closing.add(sqliteFile(), (each) => each.close())
  const stranger = locks.connect()
  await createTables(stranger, { locks: true })
  const registers = effects.connect()
  await createRegisters(registers)
  const contestants = await twoOf(async () => new ProcessOnFile(locks.file, effects.file))
  const holder = () => contestants.find(({ inLongSection }) => inLongSection) as ProcessOnFile
  return {
    contestants,
    onTheWire: { acquire: '', extend: '', release: '' },
    serverFaults: [
      {
        name: 'the holder is stopped for two leases',
        forgets: false,
        strike: async () => {
          const stopped = holder()
          stopped.signal('SIGSTOP')
          await setTimeout(2 * TTL_MS)
          stopped.signal('SIGCONT')
        },
      },
      { name: 'the holder is killed', forgets: false, strike: () => holder().replace() },
      {
        name: 'all are killed',
        forgets: false,
        strike: async () => {
          await Promise.all(contestants.map((contestant) => contestant.replace()))
        },
      },
      writeLocking(stranger, 'half a lease', TTL_MS / 2),
      writeLocking(stranger, 'two leases', 2 * TTL_MS),
      { name: 'checkpoints for two leases', forgets: false, strike: () => checkpoint(stranger) },
      {
        name: 'a stranger deletes all leases and tokens',
        forgets: true,
        strike: async () => {
          for (const table of ['locks', 'locks_tokens', 'locks_waiters'])
            await whileBusy(`emptying ${table}`, () => stranger.raw(`DELETE FROM ${table}`))
        },
      },
    ],
    register: (key) => FileRegister.create(registers, key),
    close: () => closing.run(),
  }
}

function writeLocking(stranger: Knex, howLong: string, ms: number): ServerFault {
  return {
    name: `a stranger writes the file for ${howLong}`,
    forgets: false,
    strike: async () => {
      await whileBusy('BEGIN', () => stranger.raw('BEGIN IMMEDIATE'))
      await setTimeout(ms)
      await stranger.raw('COMMIT')
    },
  }
}

/** The log is written back and cut to nothing, again and again. */
async function checkpoint(stranger: Knex): Promise<void> {
  const endMs = performance.now() + 2 * TTL_MS
  while (performance.now() < endMs) {
    await whileBusy('checkpoint', () => stranger.raw('PRAGMA wal_checkpoint(TRUNCATE)'))
    await setTimeout(1)
  }
}
