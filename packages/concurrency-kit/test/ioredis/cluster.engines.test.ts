import { randomUUID } from 'node:crypto'
import { Cluster } from 'ioredis'
import { afterAll, beforeAll, expect } from 'vitest'
import { ioredisIdempotencyStore, ioredisLockStore, ioredisVersionedStore } from '../../src/entries/ioredis.ts'
import {
  type Counter,
  idempotencyStoreContract,
  lockStoreContract,
  versionedStoreContract,
} from '../../src/entries/testing.ts'
import { slotOf } from '../../src/ioredis/slots.ts'
import { onDocker } from '../support/engines.ts'
import { type RedisCluster, startRedisCluster } from '../support/redis-cluster.ts'
import { rivalOn } from '../support/rival.ts'
import { countersIn } from '../support/versioned-rows.ts'

let servers: RedisCluster
const connect = (options = {}) => {
  const client = new Cluster(
    servers.ports.map((port) => ({ host: '127.0.0.1', port })),
    options,
  )
  const forgetScripts = () => Promise.all(client.nodes('master').map((node) => node.script('FLUSH')))
  return { client, forgetScripts, close: async () => client.disconnect() }
}

/** Keys that put the brace-wrapped key into another slot than the key itself, and some that do not. */
const braced = ['{', '}', '{}', '{}x', 'a}b', 'a{}b', 'a{b}c', '{a}{b}', '}{', '{{a}}', 'a{', '{한글}🔒'].map(
  (key) => `${key}${randomUUID()}`,
)

onDocker.describe('on a Redis Cluster of three masters', () => {
  beforeAll(async () => {
    servers = await startRedisCluster()
  }, 90_000)
  afterAll(() => servers.stop())

  /** A store and its rival, each on a client of its own. */
  const openTwo = <Store>(open: (client: Cluster) => Store) => {
    const [one, two] = [connect(), connect()]
    const close = () => Promise.all([one.close(), two.close()]).then(() => {})
    return { store: open(one.client), rival: open(two.client), close }
  }

  lockStoreContract(onDocker, 'ioredis Cluster', async () => {
    const { store, rival, close } = openTwo((client) => ioredisLockStore({ client }))
    return { store, rival, close: () => Promise.all([store.close(), rival.close()]).then(close) }
  })

  idempotencyStoreContract(
    onDocker,
    'ioredis Cluster',
    async () => {
      const prefix = `${randomUUID()}:`
      return openTwo((client) => ioredisIdempotencyStore({ client, prefix }))
    },
    { kind: 'leased', purges: false },
  )

  versionedStoreContract(
    onDocker,
    'ioredis Cluster',
    async () => {
      const opened = openTwo((client) => ioredisVersionedStore<string, Counter>({ client, prefix: 'row:' }))
      return { ...opened, ...countersIn(opened.store) }
    },
    { updateLocked: false },
  )

  onDocker.test('L26: a slot is what the servers say it is, whatever braces the key has', async () => {
    const { client, close } = connect()
    const keys = [...braced, '{}', '{', 'a{}', '', '{}{a}']
    const slots = await Promise.all(keys.map((key) => client.cluster('KEYSLOT', key)))
    expect(keys.map(slotOf)).toEqual(slots)
    await close()
  })

  onDocker.test('L9, L26: every verb works on every key while no node knows any script', async () => {
    for (const options of [{}, { keyPrefix: 'app{1:' }, { keyPrefix: '{app}:' }, { enableAutoPipelining: true }]) {
      const { client, forgetScripts, close } = connect(options)
      const store = ioredisLockStore({ client })
      const rows = ioredisVersionedStore<string, { count: number }>({ client, prefix: '{' })
      const keys = [...braced, ...Array.from({ length: 20 }, (_, n) => `plain ${n}`)]
      const each = async (ask: (key: string) => unknown) => {
        await forgetScripts()
        return [...new Set(await Promise.all(keys.map(ask)))]
      }
      const { signal } = new AbortController()
      await Promise.all(keys.map((key) => rows.delete(key)))
      expect(
        await each((key) =>
          rivalOn(store, key)
            .acquire()
            .then(({ acquired }) => acquired),
        ),
      ).toEqual([true])
      expect(await each((key) => store.extend({ key, holder: 'rival', ttlMs: 9_000, signal }))).toEqual([true])
      expect(await each((key) => rivalOn(store, key).release())).toEqual([true])
      expect(await each((key) => rows.insert(key, { count: 1 }))).toEqual([true])
      const { version } = (await rows.read({ id: keys[0] as string, lock: false })) as { version: number }
      const write = { id: keys[0] as string, expectedVersion: version, value: { count: 2 } }
      expect((await rows.compareAndSet(write)).stored).toBe(true)
      expect(await each((key) => rows.delete(key))).toEqual([true])
      await store.close()
      await close()
    }
  })

  onDocker.test('a waiter is woken from whatever node the release went to', async () => {
    const holder = connect()
    const waiter = connect()
    const [held, waiting] = [holder, waiter].map(({ client }) => ioredisLockStore({ client })) as [
      ReturnType<typeof ioredisLockStore>,
      ReturnType<typeof ioredisLockStore>,
    ]
    for (const key of braced) {
      await rivalOn(held, key).acquire()
      const woken = Promise.withResolvers<void>()
      let ready = () => {}
      const inPlace = new Promise<void>((resolve) => {
        ready = resolve
      })
      const stop = waiting.watch?.(key, () => {
        ready()
        ready = woken.resolve
      })
      await inPlace
      await rivalOn(held, key).release()
      await woken.promise
      stop?.()
    }
    for (const [store, { close }] of [
      [held, holder],
      [waiting, waiter],
    ] as const) {
      await store.close()
      await close()
    }
  })
})
