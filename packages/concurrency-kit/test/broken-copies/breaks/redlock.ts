import type { Break } from '../break.ts'

const store = 'src/lock/stores/redlock.ts'
const ballot = 'src/lock/stores/redlock/ballot.ts'
const tests = 'test/lock/redlock-pitfalls.engines.test.ts'

export const redlockBreaks: readonly Break[] = [
  {
    pitfall: 'L1',
    what: 'an even number of nodes is taken',
    file: store,
    find: 'list.length % 2 === 0',
    replace: 'list.length === 0',
    tests,
  },
  {
    pitfall: 'L10',
    what: 'an error event that nobody hears is thrown inside redlock',
    file: store,
    find: 'redlock.listenerCount(event) > 0 && ',
    replace: '',
    tests,
  },
  {
    pitfall: 'L11',
    what: 'redlock 4.2 may give a lease back whose extension failed',
    file: ballot,
    find: "if (onLeftBehind === undefined) throw new Error('the vote stands')",
    replace: '',
    tests,
  },
  {
    pitfall: 'L16',
    what: 'a node that hangs holds up the vote, and the undoing of it',
    file: store,
    find: 'limitMs: Math.ceil(Math.min(this.#nodeMs, limitMs))',
    replace: 'limitMs: 60_000',
    tests,
  },
  {
    pitfall: 'L22',
    what: 'a majority that is down passes for contention',
    file: store,
    find: 'if (await ballot.isBlockedBy(isFailure)) throw ballot.failure(`tryAcquire of ${this.name}`)',
    replace: '',
    tests,
  },
  {
    pitfall: 'L22',
    what: 'contention with one node down passes for a failure',
    file: store,
    find: 'if (await ballot.isBlockedBy(isFailure)) throw ballot.failure(`tryAcquire of ${this.name}`)',
    replace: "if (await ballot.isBlockedBy((vote) => vote !== 'for')) throw ballot.failure('tryAcquire')",
    tests,
  },
  {
    pitfall: 'L27',
    what: 'an instance that tries again by itself is taken',
    file: store,
    find: 'if (retryCount !== 0)',
    replace: 'if (retryCount === undefined)',
    tests,
  },
  {
    pitfall: 'L27',
    what: 'a partial lock that stays is told to nobody',
    file: ballot,
    find: "if (voter.vote === 'for') onLeftBehind?.(named)",
    replace: '',
    tests,
  },
]
