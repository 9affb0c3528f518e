import { describe, test } from 'vitest'
import { openSqlite } from '../support/transaction-places.ts'
import { proveErrorsWithoutEffects } from './errors-without-effects.ts'

proveErrorsWithoutEffects({ describe, test }, 'knex on SQLite', openSqlite)
