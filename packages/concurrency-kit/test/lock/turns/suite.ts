import type { ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { expect } from 'vitest'
import type { ContractRunner } from '../../../src/entries/testing.ts'
import { acquireLock } from '../../../src/lock/acquire-lock.ts'
import { TURN_MS } from '../../../src/lock/places.ts'
import { spawn } from '../../support/children.ts'
import { type LockProcess, type LockProcessKind, lockProcesses } from '../../support/lock-processes.ts'
import { contend, countAsks } from './contend.ts'

/** Where processes contend, and what is there of a key. */
export interface Server {
  readonly where: string
  /** The lock of the key, if there is one. */
  locks(key: string): Promise<number>
  waiters(key: string): Promise<number>
  close(): Promise<unknown>
}

interface Table {
  readonly server: Server
  readonly key: string
  open(count: number): Promise<LockProcess[]>
  /** A real process that waits for the key behind those who do. */
  spawnWaiter(): Promise<ChildProcess>
}

/** Processes that contend for a key take turns. */
export function turnsSuite(runner: ContractRunner, kind: LockProcessKind, startServer: () => Promise<Server>): void {
  const announces = kind === 'redis' || kind === 'postgres'

  function prove(what: string, proof: (table: Table) => Promise<void>): void {
    runner.test(what, async () => {
      const server = await startServer()
      const key = `turns:${randomUUID()}`
      const opened: LockProcess[] = []
      const open = async (count: number) => {
        const processes = await Promise.all(Array.from({ length: count }, () => lockProcesses[kind](server.where)))
        opened.push(...processes)
        return processes
      }
      const children: ChildProcess[] = []
      const spawnWaiter = async () => {
        const before = await server.waiters(key)
        const file = path.join(import.meta.dirname, 'child.ts')
        const child = spawn(process.execPath, [file, kind, server.where, key], { stdio: 'inherit' })
        children.push(child)
        await expect.poll(() => server.waiters(key), { timeout: 10_000 }).toBe(before + 1)
        return child
      }
      try {
        await proof({ server, key, open, spawnWaiter })
        await expect.poll(() => server.waiters(key)).toBe(0)
        await expect.poll(() => server.locks(key)).toBe(0)
      } finally {
        for (const child of children) child.kill('SIGKILL')
        for (const { close } of opened) await close()
        await server.close()
      }
    })
  }

  runner.describe(`turns of processes: ${kind}`, () => {
    for (const count of [2, 4, 8]) {
      prove(`L15: of ${count} that contend, nobody sees more than ${3 * count} turns of others pass`, async (table) => {
        const stores = (await table.open(count)).map(({ store }) => store)
        const { overtakings, asksPerSection } = await contend(stores, table.key, 25 * count)
        expect(Math.max(...overtakings)).toBeLessThanOrEqual(3 * count)
        // One to be refused, one to be queued, one to be granted. Those who poll ask by the clock.
        if (announces) expect(asksPerSection).toBeLessThan(6)
      })
    }

    prove('L15: one that was killed while it waited costs the others no more than its turn', async (table) => {
      const [holder, other] = (await table.open(2)) as [LockProcess, LockProcess]
      const { key, server } = table
      const held = await acquireLock({ store: holder.store, key })
      const killed = await table.spawnWaiter()
      const waiting = acquireLock({ store: other.store, key })
      await expect.poll(() => server.waiters(key)).toBe(2)
      killed.kill('SIGKILL')
      await once(killed, 'exit')
      const releasedMs = performance.now()
      await held.release()
      const lease = await waiting
      const waitedMs = performance.now() - releasedMs
      expect(waitedMs).toBeGreaterThan(TURN_MS / 2)
      expect(waitedMs).toBeLessThan(TURN_MS + 300)
      await lease.release()
    })

    prove('who gave up, or asked only once, has no place: the key is free after its holder', async (table) => {
      const [holder, other] = (await table.open(2)) as [LockProcess, LockProcess]
      const { key, server } = table
      const held = await acquireLock({ store: holder.store, key })
      for (const waitMs of [0, 100]) {
        const once = acquireLock({ store: other.store, key, waitMs })
        if (waitMs > 0) await expect.poll(() => server.waiters(key), { interval: 5 }).toBe(1)
        await expect(once).rejects.toMatchObject({ code: 'LOCK_UNAVAILABLE' })
        await expect.poll(() => server.waiters(key)).toBe(0)
      }
      await held.release()
      await (await acquireLock({ store: other.store, key, waitMs: 0 })).release()
    })

    prove('a store that is closed while it waits gives its place back before its client is gone', async (table) => {
      const [holder, other] = (await table.open(2)) as [LockProcess, LockProcess]
      const held = await acquireLock({ store: holder.store, key: table.key })
      const waiting = acquireLock({ store: other.store, key: table.key })
      const refused = expect(waiting).rejects.toMatchObject({ code: 'STORE_ERROR' })
      await expect.poll(() => table.server.waiters(table.key)).toBe(1)
      await other.store.close()
      expect(await table.server.waiters(table.key)).toBe(0)
      await refused
      await held.release()
    })

    if (!announces) return

    prove('L15: a release wakes whose turn it is, and the next behind: no herd', async (table) => {
      const [holder, ...others] = (await table.open(9)) as [LockProcess, ...LockProcess[]]
      const held = await acquireLock({ store: holder.store, key: table.key })
      const served: number[] = []
      const waiting = others.map(async ({ store }, index) => {
        const lease = await acquireLock({ store, key: table.key })
        served.push(index)
        return lease
      })
      await expect.poll(() => table.server.waiters(table.key)).toBe(8)
      const asks = others.map(({ store }) => countAsks(store))
      await held.release()
      await Promise.race(waiting)
      await setTimeout(2 * TURN_MS)
      expect(served).toHaveLength(1)
      expect(asks.filter((count) => count() > 0).length).toBeLessThanOrEqual(2)
      for (const each of waiting) void each.then((lease) => lease.release())
      await Promise.all(waiting)
    })
  })
}
