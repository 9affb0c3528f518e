import { setTimeout } from 'node:timers/promises'
import type { Container } from '../../support/containers.ts'
import type { ServerFault } from '../arena.ts'
import { TTL_MS } from '../timing.ts'

export function pausing(server: Container): ServerFault {
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

export function restarting(server: Container, name: string, forgets: boolean): ServerFault {
  return {
    name,
    forgets,
    strike: async () => {
      server.kill()
      await server.start()
    },
  }
}
