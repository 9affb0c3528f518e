import { describe, test } from 'vitest'
import { openSqlite } from '../support/transaction-places.ts'
import { proveStatementsLeftBehind } from './statements-left-behind.ts'

proveStatementsLeftBehind({ describe, test }, 'knex on SQLite', openSqlite)
