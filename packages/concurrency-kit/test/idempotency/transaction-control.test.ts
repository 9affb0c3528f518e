import { describe, test } from 'vitest'
import { openSqlite } from '../support/transaction-places.ts'
import { proveTransactionControl } from './transaction-control.ts'

proveTransactionControl({ describe, test }, 'knex on SQLite', 'SQLite', openSqlite)
