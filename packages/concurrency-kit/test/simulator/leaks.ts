import { withDistributedLock } from '../../src/lock/with-distributed-lock.ts'
import type { RemoteLockStore } from './remote-store.ts'
import type { World } from './world.ts'

/** Nothing goes on in a process whose calls have all ended. */
export function checkNothingLeft(world: World, { name, environment, watchers, grants }: RemoteLockStore): void {
  const leak = (what: string) => world.violated('nothing leaks', `${name} has ${what}`)
  if (environment.timers.size > 0) leak(`${environment.timers.size} timers`)
  for (const [key, { size }] of watchers) if (size > 0) leak(`${size} watchers of ${key}`)
  for (const { key, holder, over } of grants) if (!over) leak(`never released ${key} of ${holder}`)
}

/** Every key can be had at once, by a queue of its own: no lease and no queue was left behind. */
export async function checkKeysAreFree(world: World, store: RemoteLockStore, keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    const before = store.places.size
    const code = await withDistributedLock({ store, key, waitMs: 0, ttlMs: 100 }, () => 'had').catch((error: unknown) =>
      String(Object(error).code),
    )
    if (code !== 'had') world.violated('nothing leaks', `${store.name} cannot have ${key}: ${code}`)
    if (store.places.size === before) world.violated('nothing leaks', `${store.name} kept its idle queue for ${key}`)
  }
}
