/** A process of its own with one call under one key: `child.ts <file> <key> <milliseconds that the handler takes>`. */
import { setTimeout } from 'node:timers/promises'
import { knexIdempotencyStore } from '../../src/entries/knex.ts'
import { withIdempotency } from '../../src/idempotency/with-idempotency.ts'
import { connectTo } from '../support/sqlite.ts'

const [file = '', key = '', takesMs] = process.argv.slice(2)
const knex = connectTo(file)
const store = knexIdempotencyStore({ knex })
const result = await withIdempotency({ store, key }, async ({ transaction }) => {
  await transaction.raw('INSERT INTO effects (note) VALUES (?)', [String(process.pid)])
  console.log('running')
  await setTimeout(Number(takesMs))
  return process.pid
})
console.log(`result ${result}`)
await knex.destroy()
