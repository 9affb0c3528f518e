import { randomUUID } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { Redis, type RedisOptions } from 'ioredis'
import pg from 'pg'
import { ioredisLockStore } from '../../src/entries/ioredis.ts'
import { createTables, knexLockStore } from '../../src/entries/knex.ts'
import { pgAdvisoryLockStore } from '../../src/entries/pg.ts'
import { redlockLockStore } from '../../src/entries/redlock.ts'
import { acquire, extend, release } from '../../src/lock/stores/ioredis-scripts.ts'
import { type Container, startPostgres, startRedis, startRedisSentinel } from '../support/containers.ts'
import { FaultyLine } from '../support/faulty-line.ts'
import { knexOn } from '../support/postgres-knex.ts'
import { startQuorum } from '../support/quorum.ts'
import { redlock5, scriptsOf } from '../support/redlock.ts'
import type { Arena, ArenaOf, Contestant, ServerFault } from './arena.ts'
import { TTL_MS } from './run.ts'

const COMMAND_MS = 400
const PROCESSES = 2

/** Runs what was opened backwards. */
class Closing {
  readonly #steps: (() => unknown)[] = []
  add<Opened>(opened: Opened, close: (opened: Opened) => unknown): Opened {
    this.#steps.push(() => close(opened))
    return opened
  }
  async run(): Promise<void> {
    for (const step of this.#steps.reverse()) await step()
  }
}

function pausing(server: Container): ServerFault {
  return {
    name: 'server stands still for two leases',
    forgets: false,
    strike: async () => {
      server.pause()
      await setTimeout(2 * TTL_MS)
      server.unpause()
    },
  }
}

function restarting(server: Container, name: string, forgets: boolean): ServerFault {
  return {
    name,
    forgets,
    strike: async () => {
      server.kill()
      await server.start()
    },
  }
}

/** As the store's documentation asks for it; a connection that says nothing more is given up. */
const CLIENT = {
  maxRetriesPerRequest: 1,
  retryStrategy: () => 20,
  connectTimeout: 500,
  socketTimeout: 1_000,
} satisfies RedisOptions

function quiet(client: Redis): Redis {
  return client.on('error', () => {})
}

const redisScripts = { acquire: acquire.sha1, extend: extend.sha1, release: release.sha1 }

async function overRedis(persistent: boolean): Promise<Arena> {
  const closing = new Closing()
  const flags = persistent ? '--appendonly yes --appendfsync always' : ''
  const server = closing.add(await startRedis({ flags }), (each) => each.stop())
  const contestants: Contestant[] = []
  for (let process = 0; process < PROCESSES; process += 1) {
    const line = closing.add(await FaultyLine.to(server.ports[0] as number), (each) => each.close())
    const client = closing.add(quiet(new Redis({ ...CLIENT, port: line.port })), (each) => each.disconnect())
    const store = closing.add(ioredisLockStore({ client, commandMs: COMMAND_MS }), (each) => each.close())
    contestants.push({ store, lines: [line] })
  }
  return {
    name: '',
    contestants,
    onTheWire: redisScripts,
    serverFaults: persistent
      ? [pausing(server), restarting(server, 'restart with its data', false)]
      : [restarting(server, 'restart without its data', true)],
    close: () => closing.run(),
  }
}

async function overSentinel(): Promise<Arena> {
  const closing = new Closing()
  const servers = closing.add(await startRedisSentinel(), (each) => each.stop())
  const contestants: Contestant[] = []
  for (let process = 0; process < PROCESSES; process += 1) {
    const sentinels = [{ host: '127.0.0.1', port: servers.sentinelPort }]
    const client = closing.add(quiet(new Redis({ ...CLIENT, sentinels, name: 'main' })), (each) => each.disconnect())
    contestants.push({
      store: closing.add(ioredisLockStore({ client, commandMs: COMMAND_MS }), (each) => each.close()),
      lines: [],
    })
  }
  return {
    name: '',
    contestants,
    onTheWire: redisScripts,
    serverFaults: [{ name: 'failover to the replica', forgets: true, strike: () => servers.failOver() }],
    close: () => closing.run(),
  }
}

async function overRedlock(nodes: number): Promise<Arena> {
  const closing = new Closing()
  const quorum = closing.add(await startQuorum(nodes), (each) => each.stop())
  const contestants: Contestant[] = []
  let scripts = redisScripts
  for (let process = 0; process < PROCESSES; process += 1) {
    const connected = closing.add(await quorum.connect({ socketTimeout: CLIENT.socketTimeout }), (each) => each.close())
    const redlock = redlock5(connected.nodes)
    scripts = scriptsOf(redlock)
    const store = closing.add(redlockLockStore({ redlock, commandMs: COMMAND_MS }), (each) => each.close())
    contestants.push({ store, lines: connected.lines })
  }
  const minority = Math.floor(nodes / 2)
  const each = (run: (node: number) => Promise<void>) =>
    Promise.all(Array.from({ length: minority }, (_, node) => run(node)))
  return {
    name: '',
    contestants,
    onTheWire: scripts,
    serverFaults: [
      {
        name: 'a minority stands still for two leases',
        forgets: false,
        strike: async () => {
          await each((node) => quorum.signal(node, 'STOP'))
          await setTimeout(2 * TTL_MS)
          await each((node) => quorum.signal(node, 'CONT'))
        },
      },
      {
        name: 'a minority restarts without its data',
        forgets: true,
        strike: async () => {
          await each((node) => quorum.restartEmpty(node))
        },
      },
    ],
    close: () => closing.run(),
  }
}

async function overLeaseTable(): Promise<Arena> {
  const closing = new Closing()
  const server = closing.add(await startPostgres(), (each) => each.stop())
  const admin = closing.add(knexOn(server.url), (each) => each.destroy())
  await createTables(admin, { locks: true })
  const contestants: Contestant[] = []
  for (let process = 0; process < PROCESSES; process += 1) {
    const line = closing.add(await FaultyLine.to(server.port), (each) => each.close())
    const knex = closing.add(knexOn(through(server.url, line)), (each) => each.destroy())
    contestants.push({
      store: closing.add(knexLockStore({ knex, commandMs: COMMAND_MS }), (each) => each.close()),
      lines: [line],
    })
  }
  return {
    name: '',
    contestants,
    onTheWire: { acquire: 'INSERT INTO "locks"', extend: 'UPDATE "locks"', release: 'DELETE FROM "locks"' },
    serverFaults: [pausing(server), restarting(server, 'restart with its data', false)],
    close: () => closing.run(),
  }
}

async function overAdvisoryLocks(): Promise<Arena> {
  const closing = new Closing()
  const server = closing.add(await startPostgres(), (each) => each.stop())
  const contestants: Contestant[] = []
  for (let process = 0; process < PROCESSES; process += 1) {
    const line = closing.add(await FaultyLine.to(server.port), (each) => each.close())
    const options = { connectionString: through(server.url, line), max: 2, connectionTimeoutMillis: 500 }
    const pool = closing.add(new pg.Pool({ ...options, application_name: 'locks' }), (each) => each.end())
    pool.on('error', () => {})
    contestants.push({
      store: closing.add(pgAdvisoryLockStore({ pool, commandMs: COMMAND_MS }), (each) => each.close()),
      lines: [line],
    })
  }
  return {
    name: '',
    contestants,
    // By name: a prepared statement's text goes over once.
    onTheWire: { acquire: 'kit_try_lock', extend: 'kit_held', release: 'kit_unlock' },
    serverFaults: [
      pausing(server),
      // Locks end with their connection, whatever is on the disk.
      restarting(server, 'restart', true),
      {
        name: 'backends terminated',
        forgets: true,
        strike: async () => {
          const client = new pg.Client(server.url)
          await client.connect()
          await client.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'locks'")
          await client.end()
        },
      },
    ],
    close: () => closing.run(),
  }
}

function through(url: string, line: FaultyLine): string {
  const faulty = new URL(url)
  faulty.port = String(line.port)
  return faulty.href
}

const named = (name: string, open: () => Promise<Arena>): ArenaOf => ({
  name,
  open: async () => ({ ...(await open()), name }),
})

export const arenas: readonly ArenaOf[] = [
  named('ioredis, with its data on disk', () => overRedis(true)),
  named('ioredis, without', () => overRedis(false)),
  named('ioredis, Sentinel', overSentinel),
  named('redlock, 3 nodes', () => overRedlock(3)),
  named('redlock, 5 nodes', () => overRedlock(5)),
  named('knex on Postgres', overLeaseTable),
  named('pg advisory', overAdvisoryLocks),
]

export function freshKey(): string {
  return `faults:${randomUUID()}`
}
