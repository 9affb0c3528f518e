import type { Break } from '../break.ts'

const everywhere = { tests: 'test/idempotency/pitfalls/', everyFile: true } as const
const on = (file: string) => ({ tests: `test/idempotency/pitfalls/${file}` })
const leasedRun = 'src/idempotency/leased-run.ts'
const options = 'src/idempotency/idempotency-options.ts'
const sql = 'src/idempotency/stores/sql.ts'
const leasedSql = 'src/idempotency/stores/knex-leased.ts'
const records = 'src/idempotency/stores/record-statements.ts'
const memory = 'src/idempotency/stores/memory.ts'
const redis = 'src/idempotency/stores/ioredis.ts'
const scripts = 'src/idempotency/stores/ioredis-scripts.ts'
const skew = '(this.environment === undefined ? 0 : this.environment.clock.wallMs() - Date.now())'

const onBothDatabases = (broken: Omit<Break, 'tests'>): Break[] =>
  ['sqlite', 'postgres'].map((file) => ({ ...broken, what: `${broken.what} (${file})`, ...on(file) }))

/** Faults above the stores must be seen on every one of them, those of a store on that one. */
export const everyRecordStoreBreaks: readonly Break[] = [
  {
    pitfall: 'I1',
    what: 'a claim in memory is granted to several',
    file: memory,
    find: 'if (!own && freeInMs > 0) return',
    replace: 'if (!own && freeInMs > 1e9) return',
    ...on('memory'),
  },
  {
    pitfall: 'I1',
    what: 'a claim on Redis is granted to several',
    file: scripts,
    find: 'if left > 0 then',
    replace: 'if left > 1e9 then',
    ...on('ioredis'),
  },
  ...onBothDatabases({
    pitfall: 'I1',
    what: 'the claim replaces a record that stands',
    file: records,
    find: 'WHERE ${table}.${columns.expiresAt} <= ${now}${form.replaceable}',
    replace: 'WHERE true OR ${table}.${columns.expiresAt} <= ${now}${form.replaceable}',
  }),
  {
    pitfall: 'I2',
    what: 'whoever comes late abandons, in memory',
    file: memory,
    find: "found?.status === 'in_progress' && found.owner === request.owner ?",
    replace: "found?.status === 'in_progress' ?",
    ...on('memory'),
  },
  {
    pitfall: 'I2',
    what: 'whoever comes late abandons, on Redis',
    file: scripts,
    find: 'if record[1] ~= ARGV[1] then return 0 end`',
    replace: '`',
    ...on('ioredis'),
  },
  ...onBothDatabases({
    pitfall: 'I2',
    what: 'whoever comes late abandons',
    file: leasedSql,
    find: 'AND owner = ? AND ${columns.status} = ?',
    replace: 'AND (owner = ? OR true) AND ${columns.status} = ?',
  }),
  {
    ...everywhere,
    pitfall: 'I3',
    what: 'a result that was not stored counts as a failure, and runs again',
    file: leasedRun,
    find: '  await work.complete({ ...settlement, retentionMs })',
    replace:
      "  await work.complete({ ...settlement, retentionMs }).catch((error) => giveUp('abandon', store, owned).then(() => { throw error }))",
  },
  {
    pitfall: 'I3',
    what: 'the last statement on SQLite need not find the claim',
    file: 'src/knex/sqlite-transaction.ts',
    find: 'if (this.#run(statement).length !== 1) throw claimGone()',
    replace: 'this.#run(statement)',
    ...on('sqlite'),
  },
  {
    pitfall: 'I3',
    what: 'the last statement on Postgres need not find the claim',
    file: 'src/pg/pg-transaction.ts',
    find: 'SELECT 1 / count(*) FROM completed`',
    replace: 'SELECT count(*) FROM completed`',
    ...on('postgres'),
  },
  {
    pitfall: 'I4',
    what: 'the fingerprint is lost in memory',
    file: memory,
    find: 'const record = { fingerprint: found.fingerprint, outcome, text }',
    replace: "const record = { fingerprint: '', outcome, text }",
    ...on('memory'),
  },
  {
    pitfall: 'I4',
    what: 'the fingerprint is lost on Redis',
    file: redis,
    find: 'return { fingerprint: String(fingerprint),',
    replace: "return { fingerprint: '',",
    ...on('ioredis'),
  },
  ...onBothDatabases({
    pitfall: 'I4',
    what: 'the fingerprint is lost',
    file: records,
    find: '        request.fingerprint,\n',
    replace: "        '',\n",
  }),
  {
    ...everywhere,
    pitfall: 'I6',
    what: 'an error with a code of ours is taken for ours',
    file: 'src/errors.ts',
    find: 'Reflect.get(error, brand) === code',
    replace: "Reflect.get(error, 'code') === code",
  },
  ...onBothDatabases({
    pitfall: 'I6',
    what: 'the handler’s error is judged by its code',
    file: sql,
    find: "if (owned.passing() !== undefined) return { status: 'retry', cause: owned.passing() }\n      throw error",
    replace:
      "if (this.#database.dialect.claimMet(error) !== undefined) return { status: 'retry', cause: error }\n      throw error",
  }),
  {
    ...everywhere,
    pitfall: 'I7',
    what: 'results are stored as JSON.stringify likes',
    file: 'src/idempotency/codec.ts',
    find: 'if (found !== undefined) throw',
    replace: 'if (false) throw',
  },
  {
    ...everywhere,
    pitfall: 'I7',
    what: 'a result that cannot be stored frees the key of an effect that stands',
    file: leasedRun,
    find: '      mayStand = true\n',
    replace: '',
  },
  {
    pitfall: 'I8',
    what: 'the application’s clock decides how long a record on Redis is kept',
    file: redis,
    find: '[outcome, text, retentionMs]',
    replace: `[outcome, text, retentionMs + ${skew}]`,
    ...on('ioredis'),
  },
  ...onBothDatabases({
    pitfall: 'I8',
    what: 'the application’s clock decides how long a leased record is kept',
    file: leasedSql,
    find: 'bindings: [dialect.laterBy(request.retentionMs)]',
    replace: `bindings: [dialect.laterBy(request.retentionMs + ${skew})]`,
  }),
  ...onBothDatabases({
    pitfall: 'I8',
    what: 'the application’s clock decides how long a record is kept',
    file: sql,
    find: 'const claim = this.#records.claim(request, request.retentionMs)',
    replace: `const claim = this.#records.claim(request, request.retentionMs + ${skew})`,
  }),
  ...onBothDatabases({
    pitfall: 'I9',
    what: 'a record that has gone counts as claimed',
    file: leasedSql,
    find: 'if (found === undefined) continue',
    replace: "if (found === undefined) return { status: 'claimed', attempt: 1 }",
  }),
  {
    ...everywhere,
    pitfall: 'I10',
    what: 'the payload is the key',
    file: options,
    find: "key: keyText('key', key, 255),",
    replace: 'key: fingerprintOf(payload),',
  },
  {
    ...everywhere,
    pitfall: 'I11',
    what: 'nobody takes over from the dead',
    file: leasedRun,
    find: "const takeOver = onAmbiguous !== 'refuse'",
    replace: 'const takeOver = false',
  },
  {
    ...everywhere,
    pitfall: 'I12',
    what: 'the scope is not part of the key',
    file: options,
    find: "scope: scope === undefined ? '' : keyText('scope', scope, 255),",
    replace: "scope: '',",
  },
  {
    ...everywhere,
    pitfall: 'I12',
    what: 'keys that differ in their case alone are one',
    file: options,
    find: "key: keyText('key', key, 255),",
    replace: "key: keyText('key', key, 255).toLowerCase(),",
  },
  {
    ...everywhere,
    pitfall: 'S13',
    what: 'lone surrogates are stored',
    file: 'src/options.ts',
    find: 'if (!value.isWellFormed()) throw',
    replace: 'if (false) throw',
  },
  {
    ...everywhere,
    pitfall: 'S12',
    what: 'the stored text is parsed and written again',
    file: 'src/idempotency/settlement.ts',
    find: "text: textOf('codec.encode', codec.encode(result)) }",
    replace: "text: JSON.stringify(JSON.parse(textOf('codec.encode', codec.encode(result)))) }",
  },
  {
    pitfall: 'I13',
    what: 'commands to Redis have no deadline',
    file: 'src/ioredis/bounded-scripts.ts',
    find: 'this.commandMs, this.#environment',
    replace: '5_000, this.#environment',
    ...on('ioredis'),
  },
  {
    pitfall: 'I13',
    what: 'statements of a leased store have a long deadline',
    file: leasedSql,
    find: '{ commandMs, environment })',
    replace: '{ commandMs: 5_000, environment })',
    ...on('postgres'),
  },
  {
    pitfall: 'I13',
    what: 'statements have no deadline',
    file: 'src/sql/deadline.ts',
    find: '      limitMs,\n    )',
    replace: '      limitMs + 3_000,\n    )',
    ...on('postgres'),
  },
]
