import type { Break } from '../break.ts'

const everywhere = { tests: 'test/idempotency/pitfalls/', everyFile: true } as const
const withIdempotency = 'src/idempotency/with-idempotency.ts'
const flights = 'src/idempotency/flights.ts'
const leasedClaim = 'src/idempotency/leased-claim.ts'
const leasedRun = 'src/idempotency/leased-run.ts'

/** Faults in what a run, or its failure, means for the next call under its key. */
export const claimBreaks: readonly Break[] = [
  {
    ...everywhere,
    pitfall: 'X4',
    what: 'a handler that throws has had no effect',
    file: withIdempotency,
    find: "hadNoEffect ?? (() => onAmbiguous === 'rerun')",
    replace: 'hadNoEffect ?? (() => true)',
  },
  {
    ...everywhere,
    pitfall: 'X4',
    what: 'an error that says that nothing happened leaves the key ambiguous',
    file: leasedRun,
    find: 'return isNoEffectError(error) || ',
    replace: 'return ',
  },
  {
    pitfall: 'X4',
    what: 'what finalErrors throws speaks for the handler',
    file: leasedRun,
    find: 'mayStand = !saysNoEffect(thrown.error, hadNoEffect)',
    replace: 'mayStand = !saysNoEffect(error, hadNoEffect)',
    tests: 'test/idempotency/ambiguous.test.ts',
  },
  {
    pitfall: 'X4',
    what: 'a promise says that nothing happened',
    file: leasedRun,
    find: 'hadNoEffect(error) === true',
    replace: 'Boolean(hadNoEffect(error))',
    tests: 'test/idempotency/ambiguous.test.ts',
  },
  {
    ...everywhere,
    pitfall: 'X6',
    what: 'a run of another payload refuses callers of its process at once',
    file: flights,
    find: 'const told = await this.#join(',
    replace:
      'if (flight.fingerprint !== caller.fingerprint) throw new FingerprintMismatchError(caller.key)\n      const told = await this.#join(',
  },
  {
    ...everywhere,
    pitfall: 'X6',
    what: 'another payload gets the result of the run that it joined',
    file: flights,
    find: 'if (flight.fingerprint !== caller.fingerprint) throw',
    replace: 'if (false) throw',
  },
  {
    pitfall: 'X6',
    what: 'a leased claim of another payload refuses callers of other processes at once',
    file: leasedClaim,
    find: "if (answer.status !== 'in_progress') {",
    replace: "if (answer.status !== 'in_progress' || answer.fingerprint !== fingerprint) {",
    tests: 'test/idempotency/pitfalls/ioredis',
  },
  {
    pitfall: 'X7',
    what: 'a malformed key fails all lookups of its turn',
    file: 'src/idempotency/stores/record-lookup.ts',
    find: 'requests.length > 1 && isMalformed(error)',
    replace: 'false',
    tests: 'test/idempotency/postgres-keys.engines.test.ts',
  },
  {
    pitfall: 'X7',
    what: 'after any failure every key is looked up by itself',
    file: 'src/idempotency/stores/record-lookup.ts',
    find: 'requests.length > 1 && isMalformed(error)',
    replace: 'requests.length > 1',
    tests: 'test/idempotency/postgres-keys.engines.test.ts',
  },
]
