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
]
