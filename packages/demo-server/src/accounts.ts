import { setTimeout } from 'node:timers/promises'
import type { VersionedStore } from 'concurrency-kit'
import { knexVersionedStore } from 'concurrency-kit/knex'
import type { Knex } from 'knex'
import type { Database } from './database.ts'
import { problems, Refusal } from './http/problems.ts'

/** A row of `users`. */
export interface Account {
  readonly id: number
  /** In won, at most 2^53 - 1. */
  readonly balance: number
}

/** The round trip to a database on another machine. */
const NETWORK_MS = 1

type AccountStore = VersionedStore<number, Account>

export interface Accounts {
  /** The accounts as part of `transaction`; without one, each statement by itself. */
  within(transaction: Knex.Transaction | undefined): AccountStore
  /** As committed; undefined for an unknown user. */
  balanceOf(userId: number): Promise<number | undefined>
}

/** The change of a charge. */
export function credit(amount: number): (account: Account) => Account {
  return (account) => {
    const balance = account.balance + amount
    if (!Number.isSafeInteger(balance)) throw new Refusal(problems.balanceTooLarge)
    return { ...account, balance }
  }
}

export function openAccounts({ writer, reader }: Database, { versionCheck }: { versionCheck: boolean }): Accounts {
  const checked = knexVersionedStore<Account>({ knex: writer, table: 'users' })
  const alone = apart(versionCheck ? checked : lastWriteWins(writer))
  return {
    within(transaction) {
      if (transaction === undefined) return alone
      return versionCheck ? checked.within(transaction) : lastWriteWins(transaction)
    },
    async balanceOf(userId) {
      const rows: Pick<Account, 'balance'>[] = await reader.raw('SELECT balance FROM users WHERE id = ?', [userId])
      return rows[0]?.balance
    },
  }
}

/**
 * Without a transaction others get their turn between a read and the write upon it, as they do with a database over a
 * network: better-sqlite3 alone answers before anybody else can ask.
 */
function apart(store: AccountStore): AccountStore {
  return {
    name: store.name,
    transactional: false,
    async read(request) {
      const found = await store.read(request)
      await setTimeout(NETWORK_MS)
      return found
    },
    compareAndSet: (request) => store.compareAndSet(request),
    ...(store.updateLocked && { updateLocked: store.updateLocked }),
  }
}

/** What is left without the version check: read, then write whatever came of it. For showing what that loses. */
function lastWriteWins(client: Knex): AccountStore {
  return {
    name: 'last write wins',
    transactional: client.isTransaction === true,
    async read({ id }) {
      const rows: (Account & { version: number })[] = await client.raw('SELECT * FROM users WHERE id = ?', [id])
      if (rows[0] === undefined) return undefined
      const { version, ...value } = rows[0]
      return { value, version }
    },
    async compareAndSet({ id, value, expectedVersion }) {
      const version = expectedVersion + 1
      await client.raw('UPDATE users SET balance = ?, version = ? WHERE id = ?', [value.balance, version, id])
      return { stored: true, value, version }
    },
  }
}
