// The three guards around one charge, on memory stores: a client that retries and races is charged once.
import {
  findReplay,
  memoryIdempotencyStore,
  memoryLockStore,
  memoryVersionedStore,
  optimisticUpdate,
  withDistributedLock,
  withIdempotency,
} from 'concurrency-kit'

const locks = memoryLockStore()
const records = memoryIdempotencyStore()
const accounts = memoryVersionedStore<number, { balance: number }>({ rows: [[1, { balance: 0 }]] })

async function charge(userId: number, amount: number, key: string): Promise<{ balance: number }> {
  const idempotency = { store: records, key, payload: { userId, amount }, onAmbiguous: 'refuse' } as const
  const replay = await findReplay<{ balance: number }>(idempotency)
  if (replay.found) return replay.result
  return withDistributedLock({ store: locks, key: `balance:user:${userId}` }, () =>
    withIdempotency(idempotency, () =>
      optimisticUpdate({ store: accounts, id: userId }, (account) => ({ balance: account.balance + amount })),
    ),
  )
}

const sent = ['a', 'b', 'c', 'a', 'b', 'c']
const answers = await Promise.all(sent.map((key) => charge(1, 10_000, key)))
console.log(`${sent.length} requests, ${new Set(sent).size} keys`)
console.log(`answers: ${answers.map(({ balance }) => balance).join(', ')}`)
console.log(`balance: ${(await accounts.read({ id: 1, lock: false }))?.value.balance}`)
