import { setTimeout } from 'node:timers/promises'
import { Cluster } from 'ioredis'
import { ioredisLockStore } from '../../../src/entries/ioredis.ts'
import { FaultyLine } from '../../support/faulty-line.ts'
import { startRedisCluster } from '../../support/redis-cluster.ts'
import type { Arena, ServerFault } from '../arena.ts'
import { COMMAND_MS, TTL_MS } from '../timing.ts'
import { Closing } from './closing.ts'
import { contestant, twoOf } from './contestants.ts'
import { CLIENT, NO_LINES, ON_DISK, redisScripts } from './redis.ts'

export async function redisCluster(persistent: boolean): Promise<Arena> {
  const closing = new Closing()
  const servers = closing.add(await startRedisCluster({ flags: persistent ? ON_DISK : '' }), (each) => each.stop())
  const all: FaultyLine[] = []
  const contestants = await twoOf(async () => {
    const lines = await Promise.all(servers.ports.map((port) => FaultyLine.to(port)))
    all.push(...lines)
    for (const line of lines) closing.add(line, (each) => each.close())
    const client = closing.add(connect(servers.ports, lines), (each) => each.disconnect())
    const store = closing.add(ioredisLockStore({ client, commandMs: COMMAND_MS }), (each) => each.close())
    return contestant(store, persistent ? lines : NO_LINES)
  })
  const ofTheKey = (name: string, forgets: boolean, strike: (port: number) => Promise<void>): ServerFault => ({
    name,
    forgets,
    strike: async (key) => strike(await servers.masterOf(key)),
  })
  return {
    contestants,
    onTheWire: redisScripts,
    serverFaults: persistent
      ? [
          ofTheKey('the key’s master stands still for two leases', false, async (port) => {
            await servers.signal(port, 'STOP')
            await setTimeout(2 * TTL_MS)
            await servers.signal(port, 'CONT')
          }),
          ofTheKey('the key’s master restarts with its data', false, (port) => servers.restart(port)),
          { name: 'the key’s slot moves to another master', forgets: false, strike: (key) => servers.moveSlotOf(key) },
        ]
      : [
          ofTheKey('the key’s master restarts without its data', true, (port) => servers.restart(port)),
          // As after a failover to an empty replica: at once, and who waits has to connect again, and asks.
          ofTheKey('the key’s master is flushed, lines cut', true, async (port) => {
            await servers.flush(port)
            for (const line of all) line.cutAll()
          }),
        ],
    close: () => closing.run(),
  }
}

/** A client that reaches every node, whatever address the others give it, by a line of its own. */
function connect(ports: readonly number[], lines: readonly FaultyLine[]): Cluster {
  const places = lines.map(({ port }) => ({ host: '127.0.0.1', port }))
  const natMap = Object.fromEntries(places.map((place, node) => [`127.0.0.1:${ports[node]}`, place]))
  const options = { natMap, redisOptions: CLIENT, clusterRetryStrategy: () => 20, slotsRefreshTimeout: 500 }
  return new Cluster(places, options).on('error', () => {})
}
