import { once } from 'node:events'
import { Redis } from 'ioredis'
import { expect } from 'vitest'
import { ioredisLockStore } from '../../src/entries/ioredis.ts'
import { isLeaseLostError, isStoreError } from '../../src/errors.ts'
import { acquireLock } from '../../src/lock/acquire-lock.ts'
import { withDistributedLock } from '../../src/lock/with-distributed-lock.ts'
import { startRedis } from '../support/containers.ts'
import { onDocker, onRedis, sharedRedis } from '../support/engines.ts'
import { FaultyLine } from '../support/faulty-line.ts'
import { freshKey, keysOf, lockProcess } from '../support/redis-keys.ts'
import { rivalOn } from '../support/rival.ts'

const commandMs = 300
const clients = [
  ['by default, commands are sent again', {}],
  ['nothing is sent again', { autoResendUnfulfilledCommands: false, enableOfflineQueue: false }],
  ['nothing is retried', { maxRetriesPerRequest: 0 }],
] as const
const faults = [
  ['cut on its way', (line: FaultyLine, key: string) => line.next('request', key, 'cut')],
  ['half sent', (line: FaultyLine, key: string) => line.next('request', key, 'halve')],
  ['done, its reply cut', (line: FaultyLine, key: string) => line.nextReplyTo(key, 'cut')],
  ['done, its reply halved', (line: FaultyLine, key: string) => line.nextReplyTo(key, 'halve')],
] as const

/** A process whose line to the server is faulty. */
async function faultyProcess(options: object = {}) {
  const line = await FaultyLine.to(Number(new URL(sharedRedis()).port))
  const client = new Redis({ port: line.port, ...options })
  client.on('error', () => {})
  await once(client, 'ready')
  const store = ioredisLockStore({ client, commandMs })
  const close = async () => {
    await store.close()
    client.disconnect()
    await line.close()
  }
  return { line, client, store, close }
}

/** The server knows the scripts: what meets a fault is the command itself, not the asking for its text. */
async function warmUp({ store }: ReturnType<typeof lockProcess>): Promise<void> {
  const key = freshKey()
  const { signal } = new AbortController()
  await rivalOn(store, key).acquire()
  await store.extend({ key, holder: 'rival', ttlMs: 1_000, signal })
  await rivalOn(store, key).release()
}

/** Runs a section on a faulty line beside a rival's, and sees that they exclude each other. */
async function besideRival(verb: string, spring: (typeof faults)[number][1], options: object): Promise<void> {
  const { line, store, close } = await faultyProcess(options)
  const rival = lockProcess()
  await warmUp(rival)
  const key = freshKey()
  const live = new Set<string>()
  const tokens: bigint[] = []
  const enter = (name: string, lease: { fencingToken: bigint; signal: AbortSignal }) => {
    expect([...live]).toEqual([])
    live.add(name)
    tokens.push(lease.fencingToken)
    lease.signal.addEventListener('abort', () => live.delete(name))
  }
  let sprung = verb === 'acquire' ? spring(line, key) : Promise.resolve()
  const waitForKey = () =>
    withDistributedLock({ store: rival.store, key, waitMs: 20_000 }, (lease) => {
      enter('rival', lease)
      live.delete('rival')
    })
  const own = withDistributedLock({ store, key, ttlMs: 450, waitMs: 2_000, whenLost: 'return' }, async (lease) => {
    enter('own', lease)
    if (verb === 'extend') {
      sprung = spring(line, key)
      await sprung
      await Promise.race([once(lease.signal, 'abort'), new Promise((resolve) => setTimeout(resolve, 500))])
    }
    if (verb === 'release') sprung = spring(line, key)
    live.delete('own')
  })
  const outcome = own.then(
    () => 'done',
    (error: unknown) => (isStoreError(error) || isLeaseLostError(error) ? 'failed' : error),
  )
  await (verb === 'acquire' ? outcome : Promise.resolve())
  await waitForKey()
  expect(await outcome).toMatch(/^(done|failed)$/)
  await sprung
  expect(tokens).toEqual([...tokens].sort((a, b) => (a < b ? -1 : 1)))
  expect(new Set(tokens).size).toBe(tokens.length)
  await Promise.all([close(), rival.close()])
}

onRedis.describe(
  'L6, L19: a command that meets a fault: never two live holders, tokens increase, no call hangs',
  () => {
    for (const verb of ['acquire', 'extend', 'release']) {
      onRedis.test(`${verb}: ${faults.map(([what]) => what).join('; ')}`, async () => {
        await Promise.all(
          faults.flatMap(([, spring]) => clients.map(([, options]) => besideRival(verb, spring, options))),
        )
      })
    }
  },
)

onRedis.test('L6: an acquire whose reply was lost is granted again at once, not after its own lease', async () => {
  for (const spring of [faults[2][1], faults[3][1]]) {
    const { line, store, close } = await faultyProcess()
    const direct = lockProcess()
    await warmUp(direct)
    const key = freshKey()
    const sprung = spring(line, key)
    const lease = await acquireLock({ store, key, ttlMs: 60_000, waitMs: 0 })
    await sprung
    expect((await rivalOn(direct.store, key).acquire()).acquired).toBe(false)
    await lease.release()
    await Promise.all([close(), direct.close()])
  }
})

onRedis.describe('a server that does not answer', () => {
  onRedis.test('L19: ends in a StoreError by the store’s own deadline, whatever the client would do', async () => {
    for (const [, options] of clients) {
      const { line, store, close } = await faultyProcess(options)
      line.stall()
      const startedAt = performance.now()
      await expect(acquireLock({ store, key: freshKey() })).rejects.toMatchObject({ code: 'STORE_ERROR' })
      line.refuse(true)
      line.cutAll()
      await expect(acquireLock({ store, key: freshKey() })).rejects.toMatchObject({ code: 'STORE_ERROR' })
      expect(performance.now() - startedAt).toBeLessThan(4 * commandMs + 300)
      await close()
    }
  })

  onRedis.test('L7: what it grants late is given back, long before it expires', async () => {
    const { line, store, close } = await faultyProcess()
    const direct = lockProcess()
    const key = freshKey()
    line.stall()
    await expect(acquireLock({ store, key, ttlMs: 60_000 })).rejects.toMatchObject({ code: 'STORE_ERROR' })
    line.resume()
    await expect.poll(() => keysOf(direct.client, key)).toEqual([])
    await expect.poll(() => rivalOn(direct.store, key).acquire()).toMatchObject({ acquired: true })
    await rivalOn(direct.store, key).release()
    await Promise.all([close(), direct.close()])
  })

  onRedis.test('L5: the lease is known to be lost before another can have it', async () => {
    const { line, store, close } = await faultyProcess()
    const direct = lockProcess()
    const key = freshKey()
    const order: string[] = []
    const lost = withDistributedLock({ store, key, ttlMs: 400 }, async (lease) => {
      line.stall()
      const next = withDistributedLock({ store: direct.store, key }, () => order.push('another has it'))
      await once(lease.signal, 'abort')
      order.push('lost')
      await next
    })
    await expect(lost).rejects.toMatchObject({ code: 'LEASE_LOST' })
    expect(order).toEqual(['lost', 'another has it'])
    line.resume()
    await Promise.all([close(), direct.close()])
  })
})

onDocker.test(
  'L14: a server that is paused for longer than the lease: lost in time, then the next, with a higher token',
  async () => {
    const server = await startRedis()
    const url = `redis://127.0.0.1:${server.ports[0]}`
    const [one, two] = [lockProcess({}, url), lockProcess({}, url)]
    const key = freshKey()
    let lostAfterMs = 0
    const lost = withDistributedLock({ store: one.store, key, ttlMs: 600 }, async (lease) => {
      const startedAt = performance.now()
      server.pause()
      await once(lease.signal, 'abort')
      lostAfterMs = performance.now() - startedAt
      return lease.fencingToken
    })
    const error = await lost.catch((caught: unknown) => caught)
    server.unpause()
    expect(lostAfterMs).toBeLessThan(600)
    const token = await withDistributedLock({ store: two.store, key }, (lease) => lease.fencingToken)
    const late = isLeaseLostError(error) && error.outcome.status === 'fulfilled' ? error.outcome.value : undefined
    expect(token).toBeGreaterThan(late as bigint)
    await Promise.all([one.close(), two.close()])
    await server.stop()
  },
)

onRedis.test('L21: 10 000 cycles and 1000 lost leases leave no socket, listener, timer or key', async () => {
  const [one, two] = [lockProcess(), lockProcess()]
  const prefix = freshKey()
  const resources = () => {
    const count = (kind: string) => process.getActiveResourcesInfo().filter((name) => name === kind).length
    const listeners = one.client.eventNames().reduce((sum, name) => sum + one.client.listenerCount(name), 0)
    return { sockets: count('TCPSocketWrap'), timers: count('Timeout'), listeners }
  }
  const cycles = (process: typeof one, key: string, times: number) =>
    Promise.all(
      Array.from({ length: 10 }, async () => {
        for (let n = 0; n < times / 10; n += 1) {
          await withDistributedLock({ store: process.store, key: prefix + key, waitMs: 20_000 }, () => {})
        }
      }),
    )
  // The connection for announcements is there from the first wait on, until the store is closed.
  for (const { store } of [one, two]) {
    const inPlace = Promise.withResolvers<void>()
    const stop = store.watch?.(prefix, inPlace.resolve)
    await inPlace.promise
    stop?.()
  }
  for (const { client } of [one, two]) await client.ping()
  const before = resources()
  await Promise.all([
    cycles(one, 'shared', 2_500),
    cycles(two, 'shared', 2_500),
    ...Array.from({ length: 50 }, (_, n) => cycles(one, `own ${n}`, 100)),
  ])
  await Promise.all(
    Array.from({ length: 1_000 }, (_, n) =>
      withDistributedLock(
        { store: one.store, key: `${prefix}lost ${n}`, ttlMs: 900, whenLost: 'return' },
        async (lease) => {
          await two.client.del(`${prefix}lost ${n}`)
          await once(lease.signal, 'abort')
        },
      ),
    ),
  )
  await expect.poll(() => keysOf(one.client, prefix)).toEqual([])
  await expect.poll(resources).toEqual(before)
  const sockets = resources().sockets
  await one.store.close()
  await expect.poll(() => resources().sockets).toBe(sockets - 1)
  await Promise.all([one.close(), two.close()])
})
