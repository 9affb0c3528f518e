import type { Break } from '../break.ts'

const everywhere = { tests: 'test/idempotency/pitfalls/', everyFile: true } as const
const json = 'src/idempotency/json-value.ts'
const settlement = 'src/idempotency/settlement.ts'
const jsonTests = 'test/idempotency/json-value.test.ts'

/** Faults in what payloads and results may be. */
export const valueBreaks: readonly Break[] = [
  {
    ...everywhere,
    pitfall: 'X8',
    what: 'named properties of arrays are dropped',
    file: json,
    find: 'if (name === undefined) return undefined',
    replace: 'return undefined',
  },
  {
    ...everywhere,
    pitfall: 'X8',
    what: 'toJSON decides what is stored',
    file: json,
    find: "if (typeof (object as { readonly toJSON?: unknown }).toJSON === 'function')",
    replace: 'if (false)',
  },
  {
    pitfall: 'X8',
    what: 'a subclass of Array comes back as an array',
    file: json,
    find: 'if (!Array.isArray(Object.getPrototypeOf(array))) return',
    replace: 'if (false) return',
    tests: jsonTests,
  },
  {
    pitfall: 'X8',
    what: 'properties named by symbols are dropped',
    file: json,
    find: 'if (Object.prototype.propertyIsEnumerable.call(object, symbol))',
    replace: 'if (false)',
    tests: jsonTests,
  },
  {
    pitfall: 'X8',
    what: 'a hole is null',
    file: json,
    find: "? 'a hole' : this",
    replace: '? undefined : this',
    tests: jsonTests,
  },
  {
    ...everywhere,
    pitfall: 'X8',
    what: 'a codec may give text with a lone surrogate',
    file: settlement,
    find: 'if (!text.isWellFormed())',
    replace: 'if (false)',
  },
  {
    ...everywhere,
    pitfall: 'X8',
    what: 'a codec may give text with a NUL',
    file: settlement,
    find: "if (text.includes('\\0'))",
    replace: 'if (false)',
  },
  {
    pitfall: 'X9',
    what: 'values may be nested as deep as the stack lets them',
    file: json,
    find: 'const MOST_LEVELS = 1_000',
    replace: 'const MOST_LEVELS = Infinity',
    tests: jsonTests,
  },
  {
    pitfall: 'X9',
    what: 'the objects around a value are a list',
    file: json,
    find: 'if (this.#around.has(value)) return',
    replace: 'if ([...this.#around].includes(value)) return',
    tests: jsonTests,
  },
  {
    ...everywhere,
    pitfall: 'X9',
    what: 'retention is bounded by whole numbers alone',
    file: 'src/idempotency/idempotency-options.ts',
    find: '1, HUNDRED_YEARS_MS)',
    replace: '1, Number.MAX_SAFE_INTEGER)',
  },
  ...[
    {
      what: 'the types refuse what is unknown',
      file: json,
      find: 'unknown extends Value\n  ? Value\n  : Value extends Json',
      replace: 'Value extends Json',
    },
    {
      what: 'the types look into recursive types',
      file: json,
      find: 'Value extends Json\n    ? Value',
      replace: 'Value extends string | number | boolean | null | undefined\n    ? Value',
    },
    {
      what: 'the types pass what JSON does not carry',
      file: 'src/idempotency/with-idempotency.ts',
      find: '[Result] extends [JsonCompatible<Result>] ? unknown',
      replace: '[Result] extends [JsonCompatible<Result>] | [object] ? unknown',
    },
    {
      what: 'the last overload is about the other kind of store',
      file: 'src/idempotency/with-idempotency.ts',
      find: `export function withIdempotency<Store extends AnyStore, Result>(
  options: { readonly store: Store } & OptionsOf<Store, Result> & StorableBy<NoInfer<Result>>,
  handler: (context: ContextOf<Store>) => Result | PromiseLike<Result>,
): Promise<Result>
`,
      replace: '',
    },
  ].map((broken): Break => ({ ...broken, pitfall: 'X10', tests: 'test/types/compilers.test.ts' })),
  {
    pitfall: 'X10',
    what: 'an object that looks like a stored date comes back as one',
    file: 'src/idempotency/json-with-dates.ts',
    find: 'return name === undefined ? value : { [`$${name}`]: Reflect.get(value, name) }',
    replace: 'return name === undefined ? value : value',
    tests: 'test/idempotency/json-with-dates.test.ts',
  },
]
