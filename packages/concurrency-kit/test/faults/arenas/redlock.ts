import { setTimeout } from 'node:timers/promises'
import { redlockLockStore } from '../../../src/entries/redlock.ts'
import { startQuorum } from '../../support/quorum.ts'
import { redlock5, scriptsOf } from '../../support/redlock.ts'
import type { Arena } from '../arena.ts'
import { COMMAND_MS, TTL_MS } from '../timing.ts'
import { Closing } from './closing.ts'
import { contestant, twoOf } from './contestants.ts'
import { CLIENT, redisScripts } from './redis.ts'

export async function redlock(nodes: number): Promise<Arena> {
  const closing = new Closing()
  const quorum = closing.add(await startQuorum(nodes), (each) => each.stop())
  let scripts = redisScripts
  const contestants = await twoOf(async () => {
    const connected = closing.add(await quorum.connect({ socketTimeout: CLIENT.socketTimeout }), (each) => each.close())
    const redlock = redlock5(connected.nodes)
    scripts = scriptsOf(redlock)
    const store = closing.add(redlockLockStore({ redlock, commandMs: COMMAND_MS }), (each) => each.close())
    return contestant(store, connected.lines)
  })
  const minority = Math.floor(nodes / 2)
  const each = (run: (node: number) => Promise<void>) =>
    Promise.all(Array.from({ length: minority }, (_, node) => run(node)))
  return {
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
