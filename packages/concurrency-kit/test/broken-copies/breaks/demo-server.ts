import type { Break } from '../break.ts'

const server = { package: 'demo-server' } as const
const composition = 'test/composition.test.ts'
const contract = 'test/contract.test.ts'
const wiring = 'src/wiring.ts'
const idempotent = 'withIdempotency: idempotency ? withIdempotency :'
/** The record in a transaction of its own, `afterMs` later. */
const recordApart = (afterMs: number) => `withIdempotency: idempotency ? async (options, handler) => {
      const receipt = await handler({ transaction: undefined })
      const record = () => withIdempotency(options, async () => receipt)
      ${afterMs === 0 ? 'await record()' : `setTimeout(record, ${afterMs})`}
      return receipt
    } :`

const failureMark = {
  file: 'src/database/sqlite.ts',
  find: 'attempt: (request, handler) => written.attempt(request, handler),',
  replace: `attempt: (request, handler) =>
      written.attempt(request, handler).catch(async (error) => {
        const mark = "INSERT INTO charge_balance_idempotency VALUES (?, ?, 'FAILED', 1, 1, NULL, '2026-01-01', '2999-01-01')"
        await writer.raw(mark, [request.key, request.fingerprint])
        throw error
      }),`,
}

export const demoServerBreaks: readonly Break[] = [
  {
    ...server,
    pitfall: 'C1',
    what: 'the lock is given up before the commit',
    file: 'src/charge-balance.ts',
    find: 'await withDistributedLock(lock, () =>',
    replace: `await (async (options: typeof lock, run: () => Promise<Receipt>) => {
      let charge: Promise<Receipt> | undefined
      await withDistributedLock(options, async () => {
        charge = run()
        return undefined as never
      })
      return charge as Promise<Receipt>
    })(lock, () =>`,
    tests: composition,
  },
  {
    ...server,
    pitfall: 'C2',
    what: 'the lock is not applied, and nobody says so',
    file: wiring,
    find: 'withDistributedLock: lock ? withDistributedLock :',
    replace: 'withDistributedLock:',
    tests: 'test/operation.test.ts',
  },
  { ...server, ...failureMark, pitfall: 'C3', what: 'a failure is marked on the key', tests: composition },
  { ...server, ...failureMark, pitfall: 'C8', what: 'a failure takes the key along', tests: contract },
  {
    ...server,
    pitfall: 'C4',
    what: 'the lock names the request',
    file: 'src/charge-balance.ts',
    find: 'key: `balance:user:${userId}`',
    replace: 'key: `balance:user:${key}`',
    tests: composition,
  },
  {
    ...server,
    pitfall: 'C6',
    what: 'one lock holds up everybody',
    file: 'src/charge-balance.ts',
    find: 'key: `balance:user:${userId}`',
    replace: "key: 'balance:user'",
    tests: 'test/operation.test.ts',
  },
  {
    ...server,
    pitfall: 'C5',
    what: 'the lease ends whoever works on',
    file: 'src/locks.ts',
    find: 'const store = memoryLockStore()',
    replace: 'const store = Object.assign(memoryLockStore(), { extend: () => false })',
    tests: composition,
  },
  {
    ...server,
    pitfall: 'C7',
    what: 'user and amount are not in the fingerprint',
    file: 'src/charge-balance.ts',
    find: 'payload: { userId, amount }',
    replace: 'payload: { userId: 1, amount: 1 }',
    tests: contract,
  },
  {
    ...server,
    pitfall: 'C9',
    what: 'charge and record are two transactions',
    file: wiring,
    find: idempotent,
    replace: recordApart(0),
    tests: 'test/crash.test.ts',
  },
  {
    ...server,
    pitfall: 'C10',
    what: 'amounts are taken as parsed',
    file: 'src/http/charge-request.ts',
    find: 'const amount = wholeNumberIn(text)',
    replace: 'const amount: ReturnType<typeof wholeNumberIn> = Number(text)',
    tests: contract,
  },
  {
    ...server,
    pitfall: 'H2',
    what: 'amounts are judged as parsed',
    file: 'src/http/charge-request.ts',
    find: 'const amount = wholeNumberIn(text)',
    replace: 'const amount = wholeNumberIn(String(Number(text)))',
    tests: contract,
  },
  {
    ...server,
    pitfall: 'C11',
    what: 'the record is made after the answer',
    file: wiring,
    find: idempotent,
    replace: recordApart(50),
    tests: composition,
  },
  {
    ...server,
    pitfall: 'C12',
    what: 'the load script counts failures alone',
    file: '../../k6/lib/charge.js',
    find: 'errors.add(!charged)',
    replace: 'if (charged) errors.add(false)',
    tests: 'test/load-script.test.ts',
  },
  {
    ...server,
    pitfall: 'C12',
    what: 'virtual users have users of their own',
    file: '../../k6/balance-charge.js',
    find: '(__VU % userCount) + 1',
    replace: '__VU',
    tests: 'test/load-script.test.ts',
  },
  {
    ...server,
    pitfall: 'H1',
    what: 'the framework answers by itself what it does not like',
    file: 'src/http/server.ts',
    find: 'frameworkErrors: refuse,',
    replace: '',
    tests: contract,
  },
  {
    ...server,
    pitfall: 'H1',
    what: 'Node.js answers by itself what it cannot parse',
    file: 'src/http/server.ts',
    find: 'clientErrorHandler: (error, socket) => answerConnectionError(error, socket, latest.get(socket), metrics.refused),',
    replace: '',
    tests: contract,
  },
  {
    ...server,
    pitfall: 'I10',
    what: 'the order’s content is its key',
    file: 'src/charge-balance.ts',
    find: 'store: records, key, payload',
    replace: 'store: records, key: `${userId}/${amount}`, payload',
    tests: contract,
  },
  {
    ...server,
    pitfall: 'S13',
    what: 'lone surrogates are stored',
    file: 'src/http/idempotency-key.ts',
    find: '|| !key.isWellFormed()',
    replace: '',
    tests: 'test/http/idempotency-key.test.ts',
  },
]
