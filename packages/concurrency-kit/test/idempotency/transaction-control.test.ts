import { describe, test } from 'vitest'
import { openSqlite } from '../support/transaction-places.ts'
import { CONTROL, proveTransactionControl } from './transaction-control.ts'

proveTransactionControl({ describe, test }, 'knex on SQLite', CONTROL.SQLite, openSqlite)
