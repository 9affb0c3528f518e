import Sqlite from 'better-sqlite3'

/** A charge that a client was told is done. */
export interface Acknowledged {
  readonly key: string
  readonly userId: number
  readonly amount: number
  /** As the answer had it. */
  readonly balance: number
}

export interface Audit {
  /** Acknowledged keys, each counted once. */
  readonly acknowledgedKeys: number
  /** Acknowledged charges without a `COMPLETED` record of the same user, amount and balance. */
  readonly unrecorded: number
  readonly completed: number
  /** In won. */
  readonly sumOfCompleted: number
  /** Balances less starting balances, in won. */
  readonly sumOfGains: number
  /** Users whose balance did not grow by just the sum of their `COMPLETED` amounts. */
  readonly wrongBalances: number
}

export type Balances = ReadonlyMap<number, number>

interface Record {
  readonly key: string
  readonly userId: number
  readonly amount: number
  readonly response: string
}

/** As committed in the SQLite file, which a server may have open. */
export function readBalances(file: string): Balances {
  return reading(file, (database) => {
    const rows = database.prepare<[], { id: number; balance: number }>('SELECT id, balance FROM users').all()
    return new Map(rows.map(({ id, balance }) => [id, balance]))
  })
}

/** Compares what clients were told with what the SQLite file has, to the won. */
export function audit(file: string, starting: Balances, acknowledged: Iterable<Acknowledged>): Audit {
  const balances = readBalances(file)
  const records = readCompleted(file)
  const gains = new Map([...balances].map(([id, balance]) => [id, balance - (starting.get(id) ?? 0)]))
  const charged = new Map<number, number>()
  for (const { userId, amount } of records.values()) charged.set(userId, (charged.get(userId) ?? 0) + amount)
  const users = new Set([...gains.keys(), ...charged.keys()])
  const keys = new Set<string>()
  const unrecorded = new Set<string>()
  for (const charge of acknowledged) {
    keys.add(charge.key)
    if (!isRecorded(charge, records.get(charge.key))) unrecorded.add(charge.key)
  }
  return {
    acknowledgedKeys: keys.size,
    unrecorded: unrecorded.size,
    completed: records.size,
    sumOfCompleted: sum(charged.values()),
    sumOfGains: sum(gains.values()),
    wrongBalances: [...users].filter((id) => gains.get(id) !== (charged.get(id) ?? 0)).length,
  }
}

function isRecorded({ userId, amount, balance }: Acknowledged, record: Record | undefined): boolean {
  return record?.userId === userId && record.amount === amount && JSON.parse(record.response).balance === balance
}

function readCompleted(file: string): Map<string, Record> {
  return reading(file, (database) => {
    const rows = database
      .prepare<[], Record>(
        `SELECT idempotency_key AS key, user_id AS userId, amount, response
         FROM charge_balance_idempotency WHERE status = 'COMPLETED'`,
      )
      .all()
    return new Map(rows.map((row) => [row.key, row]))
  })
}

function reading<Result>(file: string, read: (database: Sqlite.Database) => Result): Result {
  const database = new Sqlite(file, { readonly: true, fileMustExist: true })
  try {
    return read(database)
  } finally {
    database.close()
  }
}

function sum(numbers: Iterable<number>): number {
  let total = 0
  for (const number of numbers) total += number
  return total
}
