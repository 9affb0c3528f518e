import type { Change } from '../broken-copies/break.ts'

const queue = 'src/lock/key-queue.ts'
const hold = 'src/lock/hold.ts'
const renewal = 'src/time/renewed-lease.ts'

/** Faults that the simulator must find in the engine, one at a time. */
export const mutations: readonly Change[] = [
  {
    what: 'the drift margin is short by its 2 ms for timers',
    file: renewal,
    find: 'leaseMs / 100 + 2,',
    replace: 'leaseMs / 100,',
  },
  {
    what: 'the drift margin is off by one: 1 ms for timers',
    file: renewal,
    find: 'leaseMs / 100 + 2,',
    replace: 'leaseMs / 100 + 1,',
  },
  {
    what: 'the drift margin is a tenth of what clocks may run apart',
    file: renewal,
    find: 'leaseMs / 100 + 2,',
    replace: 'leaseMs / 1000 + 2,',
  },
  {
    what: 'the deadline of a renewed lease counts from the answer',
    file: renewal,
    find: 'this.#deadline = later(sentAt, trustedMs(leaseMs))',
    replace: 'this.#deadline = later(now(clock), trustedMs(leaseMs))',
  },
  {
    what: 'the deadline is looked up on the monotonic clock alone',
    file: 'src/time/clock.ts',
    find: 'Math.min(deadline.monotonicMs - clock.monotonicMs(), deadline.wallMs - clock.wallMs())',
    replace: 'deadline.monotonicMs - clock.monotonicMs()',
  },
  {
    what: 'the deadline is looked up on the wall clock alone',
    file: 'src/time/clock.ts',
    find: 'Math.min(deadline.monotonicMs - clock.monotonicMs(), deadline.wallMs - clock.wallMs())',
    replace: 'deadline.wallMs - clock.wallMs()',
  },
  {
    what: 'no look at the clocks after the await of a grant',
    file: queue,
    find: 'if (msUntil(later(sentAt, trustedMs(ttlMs)), this.#store.clock) > 0) return { answer, sentAt }',
    replace: 'return { answer, sentAt: now(this.#store.clock) }',
  },
  {
    what: 'no look after the await of an extension whether the lease is over',
    file: renewal,
    find: 'if (this.#over) return\n',
    replace: '\n',
  },
  {
    what: 'a refused extension counts as one',
    file: renewal,
    find: "if (!extended) return this.#lose('the store has given it away, or forgotten it')",
    replace: '',
  },
  {
    what: 'nobody listens to a store that says what it has lost',
    file: queue,
    find: "if (this.#hold?.holder === holder) this.#hold.lose('the store no longer has it', cause)",
    replace: '',
  },
  {
    what: 'a failed renewal is not tried again, nor is its deadline watched',
    file: renewal,
    find: 'if (!this.#over) this.#goOn(Math.max(1, Math.min(leaseMs / 10, 250)), error)',
    replace: 'this.#options.clock.clearTimer(this.#timer)',
  },
  {
    what: 'a renewal that is answered at the deadline sets one more timer',
    file: renewal,
    find: "if (this.msLeft() < 1) this.#lose('it could not be renewed in time', error)\n    else this.#wakeIn",
    replace: 'this.#wakeIn',
  },
  {
    what: 'the end of one lease is taken for the end of whatever the queue has by now',
    file: queue,
    find: 'if (this.#hold !== hold) return\n',
    replace: '\n',
  },
  {
    what: 'the store releases without looking at the holder',
    file: 'src/lock/stores/memory.ts',
    find: 'if (this.#leases.get(key)?.holder !== holder) return false',
    replace: '',
  },
  {
    what: 'the store extends a lease that has expired',
    file: 'src/lock/stores/memory.ts',
    find: 'lease?.holder !== holder || lease.endsAtMs <= nowMs',
    replace: 'lease?.holder !== holder',
  },
  {
    what: 'a grant that comes after the call has failed is kept',
    file: queue,
    find: 'if (answer.acquired && !asking && this.#hold?.holder !== holder) this.#abandon(holder)',
    replace: '',
  },
  {
    what: 'a late grant of the first asking takes away what the second was granted',
    file: queue,
    find: ' && this.#hold?.holder !== holder) this.#abandon',
    replace: ') this.#abandon',
  },
  {
    what: 'more sections than tokens were reserved for',
    file: queue,
    find: 'this.#store.fencing ? Math.min(tokens, maxSections) : maxSections',
    replace: 'maxSections',
  },
  {
    what: 'one section too many under a lease',
    file: hold,
    find: 'this.#sectionsLeft > 0',
    replace: 'this.#sectionsLeft >= 0',
  },
  {
    what: 'a lease is handed on however old it is',
    file: hold,
    find: 'this.#store.clock.monotonicMs() - this.#acquiredAtMs < this.#store.handOff.maxMs &&',
    replace: '',
  },
  {
    what: 'a lease is handed on to who asked for a longer one',
    file: hold,
    find: 'ttlMs <= this.ttlMs &&',
    replace: '',
  },
  {
    what: 'a grant goes to the first in line even if it is shorter than they asked for',
    file: queue,
    find: 'next === undefined || next.wanted.ttlMs > ttlMs',
    replace: 'next === undefined',
  },
  {
    what: 'the last in line is served first',
    file: 'src/lock/waiting-line.ts',
    find: 'return this.#first',
    replace: 'return this.#last',
  },
  {
    what: 'waiters trust announcements alone',
    file: queue,
    find: 'Math.min(pollMs, (freeInMs ?? pollMs) + 1)',
    replace: '10_000_000',
  },
  {
    what: 'the queue does not go on when its lease is lost',
    file: queue,
    find: 'this.#abandon(hold.holder)\n    this.#work()',
    replace: 'this.#abandon(hold.holder)',
  },
  {
    what: 'keys of a list are not given back when one of them cannot be had',
    file: 'src/lock/acquire-lock.ts',
    find: 'for (const lease of leases.reverse()) void engine.leave(lease)',
    replace: '',
  },
  {
    what: 'no look at the first keys of a list after the await of the last',
    file: 'src/lock/acquire-lock.ts',
    find: 'for (const lease of leases) if (lease.hold.lostByNow()) throw lease.hold.lost',
    replace: '',
  },
  {
    what: 'a list of keys is taken in the caller’s order',
    file: 'src/lock/lock-options.ts',
    find: '.sort()',
    replace: '',
  },
  {
    what: 'the end of a section does not look whether its lease was lost',
    file: 'src/lock/with-distributed-lock.ts',
    find: 'return hold.lostByNow()',
    replace: 'return hold.lost !== undefined',
  },
  {
    what: 'the section’s error waits for the release',
    file: 'src/lock/with-distributed-lock.ts',
    find: 'void leaveAll(checked, leases)',
    replace: 'await leaveAll(checked, leases)',
  },
  {
    what: 'an idle queue keeps the timer of its waits',
    file: queue,
    find: 'this.#waitEnds.stop()',
    replace: '',
  },
  {
    what: 'the wait of who has asked in vain never ends',
    file: queue,
    find: 'else this.#waitEnds.watch(asking)',
    replace: '',
  },
  {
    what: 'when one wait is over, nobody looks at the others any more',
    file: 'src/lock/waiter.ts',
    find: 'this.#wakeAt(Math.min(nextMs, this.#lookAtMs), nowMs)',
    replace: '',
  },
  {
    what: 'those whose waits end soon are ended from the latest on',
    file: 'src/lock/waiter.ts',
    find: '.reverse()',
    replace: '',
  },
  {
    what: 'who leaves from between two others takes those behind along',
    file: 'src/lock/waiting-line.ts',
    find: 'before.behind = behind',
    replace: 'before.behind = undefined',
  },
  {
    what: 'a waiter that was served keeps its listener',
    file: 'src/lock/waiter.ts',
    find: 'this.#stopListening?.()',
    replace: '',
  },
  {
    what: 'an idle queue keeps watching',
    file: queue,
    find: 'this.#unwatch?.()',
    replace: '',
  },
  {
    what: 'an idle queue is kept',
    file: queue,
    find: 'if (this.#hold === undefined) this.#onIdle()',
    replace: '',
  },
  {
    what: 'closing does not release what is held',
    file: queue,
    find: 'await this.#store.release(this.#key, hold.holder, this.#place)\n      this.#work()',
    replace: 'this.#work()',
  },
]
