import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { ClaimResult, LeasedIdempotencyStore } from '../../idempotency/idempotency-store.ts'
import { type Prove, until } from '../runner.ts'
import { dealt } from '../store-objects.ts'

/** The verbs of one owner. */
interface Owner {
  claim(options?: { leaseMs?: number; takeOver?: boolean; fingerprint?: string }): Promise<ClaimResult>
  complete(text: string): Promise<boolean>
  renew(leaseMs?: number): Promise<boolean>
  abandon(): Promise<boolean>
}

export interface LeasedScene {
  /** The verbs of a new owner of the test's key, through the next store object. */
  owner(): Owner
}

export function leasedSceneOn(stores: readonly LeasedIdempotencyStore[]): LeasedScene {
  const next = dealt(stores)
  const record = { scope: '', key: `contract:${randomUUID()}` }
  return { owner: () => ownerOn(next(), record) }
}

function ownerOn(store: LeasedIdempotencyStore, record: { readonly scope: string; readonly key: string }): Owner {
  const owned = { ...record, owner: randomUUID() }
  const request = { ...owned, fingerprint: 'f', payload: null, leaseMs: 30_000, retentionMs: 60_000, takeOver: true }
  return {
    claim: (options = {}) => store.claim({ ...request, ...options }),
    complete: (text) => store.complete({ ...owned, outcome: 'result', text, retentionMs: 60_000 }),
    renew: (leaseMs = 30_000) => store.renew({ ...owned, leaseMs }),
    abandon: () => store.abandon(owned),
  }
}

/** Tests each verb of a leased store as processes use them. */
export function leasedVerbs(prove: Prove<LeasedScene>, applies: boolean): void {
  const leased = (title: string, body: (owner: LeasedScene['owner']) => Promise<void>) =>
    prove(`leased: ${title}`, ({ owner }) => body(owner), applies)

  leased('a claim excludes others until it is completed', async (owner) => {
    const [a, b] = [owner(), owner()]
    assert.deepEqual(await a.claim(), { status: 'claimed', attempt: 1 })
    assert.deepEqual(await a.claim(), { status: 'claimed', attempt: 1 })
    assert.equal((await b.claim()).status, 'in_progress')
    assert.equal(await a.complete('1'), true)
    const record = { fingerprint: 'f', outcome: 'result', text: '1' }
    assert.deepEqual(await b.claim(), { status: 'completed', record })
  })

  leased('of many concurrent claims, one is granted', async (owner) => {
    const owners = Array.from({ length: 6 }, owner)
    assert.deepEqual(await statuses(owners), ['claimed', ...Array.from({ length: 5 }, () => 'in_progress')])
  })

  leased('completing again as the same owner, whose reply was lost, answers true again', async (owner) => {
    const [a, b] = [owner(), owner()]
    await a.claim()
    assert.equal(await a.complete('1'), true)
    assert.equal(await a.complete('1'), true)
    assert.equal(await b.complete('1'), false)
    assert.equal(await a.abandon(), false)
    assert.equal((await a.claim()).status, 'completed')
  })

  leased('an abandoned claim is free at once; only its owner can abandon it', async (owner) => {
    const [a, b] = [owner(), owner()]
    await a.claim()
    assert.equal(await b.abandon(), false)
    assert.equal(await a.abandon(), true)
    assert.deepEqual(await b.claim(), { status: 'claimed', attempt: 1 })
  })

  leased('a claim whose owner vanished is taken over by one, and counted', async (owner) => {
    const [a, b, ...others] = [owner(), owner(), owner(), owner()] as const
    await a.claim({ leaseMs: 40 })
    assert.equal((await notInProgress(() => b.claim({ takeOver: false }))).status, 'vanished')
    const claims = await Promise.all([b, ...others].map(({ claim }) => claim()))
    assert.deepEqual(claims.map(({ status }) => status).sort(), ['claimed', 'in_progress', 'in_progress'])
    const taken = claims.find(({ status }) => status === 'claimed')
    assert.deepEqual(taken, { status: 'claimed', attempt: 2 })
  })

  leased('another payload never takes a claim over', async (owner) => {
    const [a, b] = [owner(), owner()]
    await a.claim({ leaseMs: 40 })
    const other = await notInProgress(() => b.claim({ fingerprint: 'g' }))
    assert.deepEqual(other, { status: 'vanished', fingerprint: 'f' })
  })

  leased('a late owner neither completes, renews nor abandons what was taken over (I2)', async (owner) => {
    const [a, b, c] = [owner(), owner(), owner()]
    await a.claim({ leaseMs: 40 })
    await notInProgress(() => b.claim())
    assert.equal(await a.complete('late'), false)
    assert.equal(await a.renew(), false)
    assert.equal(await a.abandon(), false)
    assert.equal((await c.claim()).status, 'in_progress')
    assert.equal(await b.complete('on time'), true)
  })

  leased('renewing prolongs the claim from now', async (owner) => {
    const [a, b] = [owner(), owner()]
    await a.claim({ leaseMs: 60 })
    assert.equal(await a.renew(30_000), true)
    await new Promise((resolve) => setTimeout(resolve, 90))
    assert.equal((await b.claim()).status, 'in_progress')
  })
}

async function statuses(owners: readonly Owner[]): Promise<string[]> {
  const claims = await Promise.all(owners.map(({ claim }) => claim()))
  return claims.map(({ status }) => status).sort()
}

const notInProgress = (claim: () => Promise<ClaimResult>) => until(claim, ({ status }) => status !== 'in_progress')
