import { setTimeout } from 'node:timers/promises'
import type { VersionedStore } from 'concurrency-kit'
import { problems, Refusal } from '../http/problems.ts'

/** A row of `users`. */
export interface Account {
  readonly id: number
  /** In won, at most 2^53 - 1. */
  readonly balance: number
}

export type AccountStore = VersionedStore<number, Account>

export interface Accounts<Transaction> {
  /** The accounts as part of `transaction`; without one, each statement by itself. */
  within(transaction: Transaction | undefined): AccountStore
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

interface Row extends Account {
  readonly version: number
}

/** The two statements that are left of an update when nobody asks for the version. */
export interface UncheckedStatements {
  read(id: number): Promise<Row | undefined>
  write(row: Row): Promise<void>
}

/** What is left without the version check: read, then write whatever came of it. For showing what that loses. */
export function lastWriteWins({ read, write }: UncheckedStatements, transactional: boolean): AccountStore {
  return {
    name: 'last write wins',
    transactional,
    async read({ id }) {
      const row = await read(id)
      if (row === undefined) return undefined
      const { version, ...value } = row
      return { value, version }
    },
    async compareAndSet({ id, value, expectedVersion }) {
      const version = expectedVersion + 1
      await write({ id, balance: value.balance, version })
      return { stored: true, value, version }
    },
  }
}

/** The round trip to a database on another machine. */
const NETWORK_MS = 1

/**
 * Without a transaction others get their turn between a read and the write upon it, as they do with a database over a
 * network: better-sqlite3 alone answers before anybody else can ask.
 */
export function apart(store: AccountStore): AccountStore {
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
