import type { Break } from '../break.ts'

/** Faults of the limits of keys, and of the published contracts. */
export const contractAndLimitBreaks: readonly Break[] = [
  {
    pitfall: 'V13',
    what: 'a key is as long as its characters, however many bytes each has',
    file: 'src/options.ts',
    find: 'Buffer.byteLength(value)',
    replace: 'value.length',
    tests: 'test/lock/pitfalls/',
    everyFile: true,
  },
  {
    pitfall: 'X5',
    what: 'the rivals of the verbs are behind the store’s own object',
    file: 'src/testing/store-objects.ts',
    find: '=> [store, rival]',
    replace: '=> [store, rival].slice(0, 1)',
    tests: 'test/testing/rivals.test.ts',
  },
  {
    pitfall: 'X5',
    what: 'the rival of a record’s callers joins them',
    file: 'src/testing/idempotency/callers.ts',
    find: 'rival: on(opened.rival)',
    replace: 'rival: on(opened.store)',
    tests: 'test/testing/rivals.test.ts',
  },
  {
    pitfall: 'X5',
    what: 'one store object may be its own rival',
    file: 'src/testing/store-objects.ts',
    find: 'assert.notEqual(store, rival,',
    replace: 'assert.ok(store,',
    tests: 'test/testing/abilities.test.ts',
  },
  {
    pitfall: 'X5',
    what: 'a test that does not apply passes',
    file: 'src/testing/runner.ts',
    find: 'else test.skip(title, run)',
    replace: 'else test(title, async () => {})',
    tests: 'test/testing/abilities.test.ts',
  },
]
