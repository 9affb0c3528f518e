import { randomUUID } from 'node:crypto'
import type { Knex } from 'knex'
import { createTables } from '../../src/entries/knex.ts'
import { ACCOUNTS, AMOUNT, type Answer, companionOf, type Order, type Provider } from './charge.ts'
import { Cuttable, type Points } from './points.ts'

/** What the servers have of a charge, seen from outside. */
export interface Seen {
  readonly charged: number
  /** The stored result; undefined where the store is not to be looked into. */
  readonly record?: string | undefined
  /** Of the charge that shared its transaction, if there was one. */
  readonly companion?: Seen
}

/** Where effects end up. */
export interface Ledger {
  /** An account that nobody has. */
  account(): number
  /** Puts a record there that has expired. */
  expire(order: Order): Promise<void>
  seen(order: Order): Promise<Seen>
  /** What must not be left behind when all is over. */
  leftovers(): Promise<readonly string[]>
}

/** Makes the tables that all charges of a database use. */
export async function createLedger(knex: Knex): Promise<void> {
  await createTables(knex, { idempotency: true, leasedIdempotency: true })
  await knex.raw('CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL, version BIGINT NOT NULL)')
  await knex.raw(
    `INSERT INTO accounts WITH RECURSIVE ids (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < ${2 * ACCOUNTS}) SELECT id, 0, 1 FROM ids`,
  )
  await knex.raw('CREATE TABLE wrong_records (key TEXT, fingerprint TEXT, outcome TEXT, text TEXT)')
}

/** Effects in the same database as the records. */
export class SqlLedger implements Ledger {
  readonly #knex: Knex
  readonly #records: string
  readonly #used: { accounts: number }

  /** @param used - Of this database, by whichever ledger. */
  constructor(knex: Knex, used: { accounts: number }, records = 'idempotency_records') {
    this.#knex = knex
    this.#used = used
    this.#records = records
  }

  account(): number {
    this.#used.accounts += 1
    if (this.#used.accounts > ACCOUNTS) throw new RangeError('no account is left')
    return this.#used.accounts
  }

  async expire({ key }: Order): Promise<void> {
    const leased = this.#records === 'leased_idempotency_records'
    await this.#knex.raw(
      `INSERT INTO ${this.#records} (scope, idempotency_key, fingerprint, status, outcome, result, created_at, expires_at
        ${leased ? ', owner, attempt, lease_ends_at_ms' : ''})
       VALUES ('', ?, 'of old', 'completed', 'result', '"of old"', '2020-01-01 00:00:00', '2020-01-02 00:00:00' ${leased ? ", 'of old', 1, 0" : ''})`,
      [key],
    )
  }

  async seen(order: Order): Promise<Seen> {
    const [seen, companion] = await Promise.all([this.#seen(order), this.#seen(companionOf(order))])
    return { ...seen, companion }
  }

  async #seen({ key, account }: Order): Promise<Seen> {
    const [[row], records, wrong] = await Promise.all([
      this.#rows('SELECT balance, version FROM accounts WHERE id = ?', account),
      this.#rows(`SELECT result AS text FROM ${this.#records} WHERE idempotency_key = ? AND status = 'completed'`, key),
      this.#rows('SELECT text FROM wrong_records WHERE key = ?', key),
    ])
    const charged = Number(row?.['balance']) / AMOUNT
    if (Number(row?.['version']) !== 1 + charged) return { charged: Number.NaN }
    return { charged, record: [...records, ...wrong].map(({ text }) => text).join(' and ') }
  }

  async leftovers(): Promise<readonly string[]> {
    const stuck = await this.#rows(`SELECT idempotency_key AS key FROM ${this.#records} WHERE status <> 'completed'`)
    return stuck.map(({ key }) => `the record of ${key} is in progress`)
  }

  async #rows(sql: string, ...bindings: (string | number)[]): Promise<readonly Record<string, unknown>[]> {
    const answer = await this.#knex.raw(sql, bindings)
    return answer.rows ?? answer
  }
}

/** Effects at a provider, which is asked again and again and refuses nobody. */
export class ProviderLedger implements Ledger, Provider {
  readonly #receipts = new Map<string, Answer[]>()
  readonly #expire: ((order: Order) => Promise<void>) | undefined
  #accounts = 0

  constructor(expire?: (order: Order) => Promise<void>) {
    this.#expire = expire
  }

  account(): number {
    this.#accounts += 1
    return this.#accounts
  }

  async expire(order: Order): Promise<void> {
    await this.#expire?.(order)
  }

  async seen({ key }: Order): Promise<Seen> {
    return { charged: this.#receipts.get(key)?.length ?? 0 }
  }

  async leftovers(): Promise<readonly string[]> {
    return []
  }

  async charge({ key, account }: Order): Promise<Answer> {
    const receipts = this.#receipts.get(key) ?? []
    const receipt = { account, balance: AMOUNT, nonce: randomUUID() }
    this.#receipts.set(key, [...receipts, receipt])
    return receipt
  }

  async find(key: string): Promise<Answer | undefined> {
    return this.#receipts.get(key)?.[0]
  }

  /** The provider as one process reaches it. */
  over(points: Points): Provider {
    return {
      find: (key) => this.find(key),
      charge: async (order) => {
        const statement = points.next('the effect', 'provider')
        const crossing = new Cuttable()
        await points.at(statement, 'before', crossing)
        if (crossing.isCut) throw new Error('the provider was not reached')
        const receipt = await this.charge(order)
        await points.at(statement, 'done', crossing)
        return receipt
      },
    }
  }
}
