import pg from 'pg'
import { createTables, knexLockStore } from '../../../src/entries/knex.ts'
import { pgAdvisoryLockStore } from '../../../src/entries/pg.ts'
import { startPostgres } from '../../support/containers.ts'
import { FaultyLine } from '../../support/faulty-line.ts'
import { knexOn } from '../../support/postgres-knex.ts'
import type { Arena } from '../arena.ts'
import { COMMAND_MS } from '../timing.ts'
import { Closing } from './closing.ts'
import { contestant, twoOf } from './contestants.ts'
import { pausing, restarting } from './server-faults.ts'

export async function leaseTable(): Promise<Arena> {
  const closing = new Closing()
  const server = closing.add(await startPostgres(), (each) => each.stop())
  const admin = closing.add(knexOn(server.url), (each) => each.destroy())
  await createTables(admin, { locks: true })
  const contestants = await twoOf(async () => {
    const line = closing.add(await FaultyLine.to(server.port), (each) => each.close())
    const knex = closing.add(knexOn(line.through(server.url)), (each) => each.destroy())
    const store = closing.add(knexLockStore({ knex, commandMs: COMMAND_MS }), (each) => each.close())
    return contestant(store, [line])
  })
  return {
    contestants,
    onTheWire: { acquire: 'INSERT INTO "locks"', extend: 'UPDATE "locks" SET ends', release: 'DELETE FROM "locks"' },
    serverFaults: [pausing(server), restarting(server, 'restart with its data', false)],
    close: () => closing.run(),
  }
}

export async function advisoryLocks(): Promise<Arena> {
  const closing = new Closing()
  const server = closing.add(await startPostgres(), (each) => each.stop())
  const contestants = await twoOf(async () => {
    const line = closing.add(await FaultyLine.to(server.port), (each) => each.close())
    const options = { connectionString: line.through(server.url), max: 2, connectionTimeoutMillis: 500 }
    const pool = closing.add(new pg.Pool({ ...options, application_name: 'locks' }), (each) => each.end())
    pool.on('error', () => {})
    const store = closing.add(pgAdvisoryLockStore({ pool, commandMs: COMMAND_MS }), (each) => each.close())
    return contestant(store, [line])
  })
  return {
    contestants,
    // By name: a prepared statement's text goes over once.
    onTheWire: { acquire: 'kit_try_lock', extend: 'kit_held', release: 'kit_unlock' },
    serverFaults: [
      pausing(server),
      // Locks end with their connection, whatever is on the disk.
      restarting(server, 'restart', true),
      { name: 'backends terminated', forgets: true, strike: () => terminateBackends(server.url) },
    ],
    close: () => closing.run(),
  }
}

async function terminateBackends(url: string): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  await client.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'locks'")
  await client.end()
}
