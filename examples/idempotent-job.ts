// A job that is delivered more than once and runs once: its effect and its record commit together, in SQLite.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { withIdempotency } from 'concurrency-kit'
import { createTables, knexIdempotencyStore } from 'concurrency-kit/knex'
import createKnex from 'knex'

const folder = await mkdtemp(join(tmpdir(), 'idempotent-job-'))
const knex = createKnex({
  client: 'better-sqlite3',
  connection: { filename: join(folder, 'jobs.db') },
  useNullAsDefault: true,
})
await createTables(knex, { idempotency: true })
await knex.schema.createTable('invoices', (table) => table.increments())
const records = knexIdempotencyStore({ knex })

async function sendInvoice(jobId: string): Promise<{ invoice: number }> {
  return withIdempotency({ store: records, scope: 'send-invoice', key: jobId }, async ({ transaction }) => {
    const [row] = await transaction('invoices').insert({}).returning('id')
    if (jobId === 'job-2' && row.id === 2) throw new Error('printer on fire')
    return { invoice: row.id }
  })
}

for (const jobId of ['job-1', 'job-1', 'job-2', 'job-3', 'job-1']) {
  const outcome = await sendInvoice(jobId).then(
    ({ invoice }) => `invoice ${invoice}`,
    (error: Error) => `failed, and left nothing behind: ${error.message}`,
  )
  console.log(`${jobId}: ${outcome}`)
}
console.log(`invoices: ${(await knex('invoices').select('id')).length}`)
await knex.destroy()
await rm(folder, { recursive: true })
