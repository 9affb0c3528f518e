/** One fault to put into the code. */
export interface Break {
  /** The number in `shared/pitfalls.md`, and in the names of the tests that must see it. */
  readonly pitfall: string
  readonly what: string
  readonly file: string
  readonly find: string
  readonly replace: string
  /** The test file that must turn red. */
  readonly tests: string
}

const losing = 'test/lock/losing.test.ts'
const queue = 'test/lock/queue.test.ts'
const section = 'test/lock/section.test.ts'
const errors = 'test/errors.test.ts'

export const breaks: readonly Break[] = [
  {
    pitfall: 'L2',
    what: 'a grant that comes after its own deadline counts',
    file: 'src/lock/key-queue.ts',
    find: 'if (msUntil(later(sentAt, trustedMs(ttlMs)), this.#store.clock) > 0) return',
    replace: 'return',
    tests: losing,
  },
  {
    pitfall: 'L3',
    what: 'the section’s error waits for the release',
    file: 'src/lock/with-distributed-lock.ts',
    find: 'void leaveAll(checked, leases)',
    replace: 'await leaveAll(checked, leases)',
    tests: losing,
  },
  {
    pitfall: 'L4',
    what: 'an extension in flight re-arms the timer after the end',
    file: 'src/time/renewed-lease.ts',
    find: 'if (this.#over) return\n',
    replace: '\n',
    tests: losing,
  },
  {
    pitfall: 'L5',
    what: 'the deadline counts from the answer, without a margin',
    file: 'src/time/renewed-lease.ts',
    find: 'return leaseMs - Math.min(leaseMs / 100 + 2, leaseMs / 2)',
    replace: 'return leaseMs + 2',
    tests: losing,
  },
  {
    pitfall: 'L6',
    what: 'a lost reply is not asked for again',
    file: 'src/lock/key-queue.ts',
    find: 'if (asked === 2) throw error',
    replace: 'if (asked === 1) throw error',
    tests: losing,
  },
  {
    pitfall: 'L7',
    what: 'a failed acquire does not release what may have been granted',
    file: 'src/lock/key-queue.ts',
    find: 'void this.#store.release(this.#key, holder, this.#place)',
    replace: '',
    tests: losing,
  },
  {
    pitfall: 'L8',
    what: 'failed renewals are tried again at once',
    file: 'src/time/renewed-lease.ts',
    find: 'Math.max(1, Math.min(leaseMs / 10, 250))',
    replace: '0.01',
    tests: losing,
  },
  {
    pitfall: 'L8',
    what: 'renewal starts a fixed second before the end',
    file: 'src/time/renewed-lease.ts',
    find: 'leaseMs / 3 - (clock.monotonicMs() - sentAt.monotonicMs)',
    replace: 'leaseMs - 1_250',
    tests: losing,
  },
  {
    pitfall: 'L10',
    what: 'a failed renewal rejects a promise that nobody has',
    file: 'src/time/renewed-lease.ts',
    find: 'if (!this.#over) this.#wakeIn(Math.max(1, Math.min(leaseMs / 10, 250)), error)',
    replace: 'throw error',
    tests: losing,
  },
  {
    pitfall: 'L11',
    what: 'a grant that took longer than the lease counts',
    file: 'src/lock/key-queue.ts',
    find: 'if (msUntil(later(sentAt, trustedMs(ttlMs)), this.#store.clock) > 0) return',
    replace: 'return',
    tests: losing,
  },
  {
    pitfall: 'L13',
    what: 'release does not look at the holder',
    file: 'src/lock/stores/memory.ts',
    find: 'if (this.#leases.get(key)?.holder !== holder) return false',
    replace: '',
    tests: losing,
  },
  {
    pitfall: 'L15',
    what: 'waiters trust announcements alone',
    file: 'src/lock/key-queue.ts',
    find: 'Math.min(pollMs, (freeInMs ?? pollMs) + 1)',
    replace: '10_000_000',
    tests: queue,
  },
  {
    pitfall: 'L18',
    what: 'a list of keys is taken in the caller’s order',
    file: 'src/lock/lock-options.ts',
    find: '.sort()',
    replace: '',
    tests: section,
  },
  {
    pitfall: 'L20',
    what: 'tokens go through a JavaScript number',
    file: 'src/lock/hold.ts',
    find: 'this.#nextToken += 1n',
    replace: 'this.#nextToken = BigInt(Number(this.#nextToken) + 1)',
    tests: queue,
  },
  {
    pitfall: 'L20',
    what: 'the counter starts at 1 with its process',
    file: 'src/lock/stores/memory.ts',
    find: 'BigInt(Math.trunc(environment.clock.wallMs())) * 1_000_000n',
    replace: '1n',
    tests: queue,
  },
  {
    pitfall: 'L21',
    what: 'the renewal timer outlives the lease',
    file: 'src/time/renewed-lease.ts',
    find: 'this.#options.clock.clearTimer(this.#timer)\n',
    replace: '\n',
    tests: section,
  },
  {
    pitfall: 'L23',
    what: 'an error has no name of its own',
    file: 'src/errors.ts',
    find: "override readonly name = 'StoreError'",
    replace: "override readonly name = 'Error'",
    tests: errors,
  },
  {
    pitfall: 'L25',
    what: 'deadlines are on the monotonic clock alone',
    file: 'src/time/clock.ts',
    find: 'return Math.min(deadline.monotonicMs - clock.monotonicMs(), deadline.wallMs - clock.wallMs())',
    replace: 'return deadline.monotonicMs - clock.monotonicMs()',
    tests: losing,
  },
  {
    pitfall: 'P2',
    what: 'guards go by instanceof',
    file: 'src/errors.ts',
    find: "typeof error === 'object' && error !== null && Reflect.get(error, brand) === code",
    replace: 'error instanceof ConcurrencyKitError && error.code === code',
    tests: errors,
  },
]
