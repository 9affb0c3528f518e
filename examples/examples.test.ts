import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const run = async (example: string) => {
  const program = fileURLToPath(new URL(example, import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, ['--conditions=concurrency-kit-source', program])
  return stdout.trim().split('\n')
}

test('a charge on memory stores: each key is charged once', async () => {
  const [sent, answers, balance] = await run('charge-in-memory.ts')
  expect(sent).toBe('6 requests, 3 keys')
  expect(answers).toBe('answers: 10000, 20000, 30000, 10000, 20000, 30000')
  expect(balance).toBe('balance: 30000')
})

test('an idempotent job on SQLite: once each, and a failed one leaves nothing', async () => {
  expect(await run('idempotent-job.ts')).toEqual([
    'job-1: invoice 1',
    'job-1: invoice 1',
    'job-2: failed, and left nothing behind: printer on fire',
    'job-3: invoice 2',
    'job-1: invoice 1',
    'invoices: 2',
  ])
})

test('a payment whose payer is killed while the provider works: charged once, whatever the answer to it', async () => {
  expect(await run('payment-provider/crash.ts')).toEqual([
    'rerun: paid 10000; charges: 1',
    expect.stringMatching(/^refuse: AMBIGUOUS_OUTCOME: .* did not say that nothing happened; charges: 1$/),
    'probe: paid 10000; charges: 1',
  ])
}, 60_000)

test('an optimistic update of a document: no change is lost', async () => {
  expect(await run('document-update.ts')).toEqual([
    'tags: draft, en, ko, new, public',
    'version: 6',
    'changes that met another and ran again: some',
  ])
})
