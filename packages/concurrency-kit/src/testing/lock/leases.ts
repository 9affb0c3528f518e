import assert from 'node:assert/strict'
import type { AcquireResult } from '../../lock/lock-store.ts'
import { type Prove, until } from '../runner.ts'
import { type LockStoreAbilities, type Scene, SOON_MS, TTL_MS, tokenOf } from './scene.ts'

const granted = ({ acquired }: { readonly acquired: boolean }) => acquired

/** Tests how leases end, their fencing tokens, and the notification of watchers. */
export function lockLeases(prove: Prove<Scene>, { expires, fencing, watch }: Required<LockStoreAbilities>): void {
  prove(
    'a lease expires by itself, and its holder can neither extend nor release the next one (L13)',
    async ({ holder }) => {
      const [a, b, c] = [holder(), holder(), holder()]
      await a.acquire(60)
      await until(() => b.acquire(), granted)
      assert.equal(await a.extend(), false)
      assert.equal(await a.release(), false)
      assert.equal((await c.acquire()).acquired, false)
      assert.equal(await b.extend(), true)
    },
    expires,
  )

  prove(
    'extend prolongs the lease from now',
    async ({ holder }) => {
      const [a, b] = [holder(), holder()]
      const startedAt = performance.now()
      await a.acquire(400)
      assert.equal(await a.extend(1_000), true)
      await until(() => b.acquire(), granted)
      assert.ok(
        performance.now() - startedAt >= 900,
        'the key was granted to another holder before the extended lease ended',
      )
    },
    expires,
  )

  prove(
    'fencing tokens increase over releases and ranges',
    async ({ holder }) => {
      let last = 0n
      for (const tokens of [1, 100, 1, 7]) {
        const next = holder()
        const answer = await next.acquire(TTL_MS, tokens)
        last = lastToken(answer, tokens, last)
        await next.release()
      }
    },
    fencing,
  )

  prove(
    'fencing tokens increase over expiries',
    async ({ holder }) => {
      let last = lastToken(await holder().acquire(50), 1, 0n)
      for (let takeover = 0; takeover < 3; takeover += 1) {
        const next = holder()
        last = lastToken(await until(() => next.acquire(50), granted), 1, last)
      }
    },
    fencing && expires,
  )

  prove(
    'a watcher is notified of a release, and not after it has stopped',
    async ({ key, stores, holder }) => {
      const [a, b] = [holder(), holder()]
      await a.acquire()
      let calls = 0
      // With two store objects: the one that does not release.
      const unwatch = stores.at(-1)?.watch?.(key, () => {
        calls += 1
      })
      const called = (times: number) =>
        until(
          async () => calls,
          (count) => count >= times,
          SOON_MS,
        )
      await called(1)
      const atFirst = calls
      await a.release()
      await called(atFirst + 1)
      unwatch?.()
      const before = calls
      await b.acquire()
      await b.release()
      assert.equal(calls, before)
    },
    watch,
  )
}

/** The last token of a grant; its first token must be above `last`. */
function lastToken(answer: AcquireResult, asked: number, last: bigint): bigint {
  const first = tokenOf(answer)
  assert.equal(typeof first, 'bigint')
  assert.ok((first as bigint) > last, `${first} after ${last}`)
  return (first as bigint) + BigInt((answer.acquired ? answer.tokens : undefined) ?? asked) - 1n
}
