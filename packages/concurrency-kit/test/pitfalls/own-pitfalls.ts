import { onlyOn, type Pitfall } from '../lock/pitfalls/pitfall.ts'

/** Those that are proved by tests of the stores that they can happen on. */
export const ownPitfalls: readonly Pick<Pitfall, 'number' | 'not'>[] = [
  { number: 'L1', not: onlyOn(['redlock'], 'one server decides: there is no vote to split') },
  { number: 'L9', not: onlyOn(['ioredis', 'ioredis Cluster', 'redlock'], 'there are no scripts on a server') },
  { number: 'L16', not: onlyOn(['redlock'], 'a grant is whole or not at all') },
  { number: 'L24', not: onlyOn(['pg advisory'], 'no lock is bound to a connection, or is a number') },
  {
    number: 'L26',
    not: onlyOn(['ioredis Cluster'], 'there are no slots; that keys are exact is in the contract of every store'),
  },
  { number: 'L27', not: onlyOn(['redlock'], 'it is a fault of that package’s') },
]

/** Of records: proved above the stores, which do not know of it, or not at all. */
export const ownRecordPitfalls = ['I5', 'I14']

/** On which stores an SQL fault can happen, and why on no other. */
export const sqlPitfalls: readonly { readonly number: string; readonly on: string; readonly elsewhere: string }[] = [
  {
    number: 'S1',
    on: 'transactional records on Postgres',
    elsewhere: 'a step of a leased store is a transaction of its own; SQLite takes back the failed statement alone',
  },
  {
    number: 'S2',
    on: 'transactional records and versioned rows on Postgres',
    elsewhere: 'SQLite has one writer at a time; nothing of a leased store stays uncommitted',
  },
  {
    number: 'S3',
    on: 'records and versioned rows on Postgres, versions on SQLite',
    elsewhere: 'memory and Redis have neither a transaction’s time nor 64 bits',
  },
  {
    number: 'S4',
    on: 'versioned rows in SQL',
    elsewhere: 'the version in memory and on Redis is the store’s own count',
  },
  {
    number: 'S5',
    on: 'transactional records on SQLite',
    elsewhere: 'Postgres lets readers become writers; every other step on SQLite is a transaction of one statement',
  },
  {
    number: 'S6',
    on: 'transactional records, knexLockStore on Postgres',
    elsewhere: 'a step takes one connection, and gives it back',
  },
  {
    number: 'S7',
    on: 'transactional records and versioned rows on Postgres',
    elsewhere:
      'the transaction on SQLite has the write lock before it reads; there are no snapshots in memory and on Redis',
  },
  { number: 'S8', on: 'versioned rows, every store', elsewhere: 'records have no version' },
  {
    number: 'S9',
    on: 'transactional records',
    elsewhere: 'a leased claim catches no error: it is an upsert that gives a row back or none',
  },
  { number: 'S10', on: 'every store on SQLite', elsewhere: 'other clients wait with the event loop running' },
  { number: 'S11', on: 'transactional records', elsewhere: 'handlers get no transaction' },
  { number: 'S12', on: 'records, every store', elsewhere: 'versioned rows are values, not answers' },
  {
    number: 'S13',
    on: 'records, every store',
    elsewhere: 'ids of rows are the caller’s; lock keys are refused by the same check',
  },
  {
    number: 'S14',
    on: 'records in SQL, transactional and leased by the same statement',
    elsewhere: 'Redis expires its records by itself; there is no plan to be wrong in memory',
  },
]
