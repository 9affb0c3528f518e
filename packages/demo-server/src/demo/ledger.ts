import Sqlite from 'better-sqlite3'
import pg from 'pg'

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

interface CompletedCharge {
  readonly key: string
  readonly userId: number
  readonly amount: number
  readonly response: string
}

/** What is committed in a database, which servers may have open. */
export interface Ledger {
  balances(): Promise<Balances>
  completed(): Promise<ReadonlyMap<string, CompletedCharge>>
}

const BALANCES = 'SELECT id, balance FROM users'
const COMPLETED = `SELECT idempotency_key AS key, user_id AS "userId", amount, response
  FROM charge_balance_idempotency WHERE status = 'COMPLETED'`

export function sqliteLedger(file: string): Ledger {
  return ledger(async (sql) => {
    const database = new Sqlite(file, { readonly: true, fileMustExist: true })
    try {
      return database.prepare<[], Row>(sql).all()
    } finally {
      database.close()
    }
  })
}

export function postgresLedger(connectionString: string): Ledger {
  return ledger(async (sql) => {
    const client = new pg.Client({ connectionString })
    await client.connect()
    try {
      return (await client.query<Row>(sql)).rows
    } finally {
      await client.end()
    }
  })
}

type Row = Record<string, string | number>

function ledger(query: (sql: string) => Promise<Row[]>): Ledger {
  return {
    balances: async () => {
      const rows = await query(BALANCES)
      return new Map(rows.map(({ id, balance }) => [Number(id), Number(balance)]))
    },
    completed: async () => {
      const charges = (await query(COMPLETED)).map(({ key, userId, amount, response }) => ({
        key: String(key),
        userId: Number(userId),
        amount: Number(amount),
        response: String(response),
      }))
      return new Map(charges.map((charge) => [charge.key, charge]))
    },
  }
}

/** Compares what clients were told with what the ledger has, to the won. */
export async function audit(ledger: Ledger, starting: Balances, acknowledged: Iterable<Acknowledged>): Promise<Audit> {
  const balances = await ledger.balances()
  const records = await ledger.completed()
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

function isRecorded({ userId, amount, balance }: Acknowledged, record: CompletedCharge | undefined): boolean {
  return record?.userId === userId && record.amount === amount && JSON.parse(record.response).balance === balance
}

function sum(numbers: Iterable<number>): number {
  let total = 0
  for (const number of numbers) total += number
  return total
}
