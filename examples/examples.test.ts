import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { spawn } from '../packages/concurrency-kit/test/support/children.ts'

async function start(example: string, env: Record<string, string> = {}) {
  const program = fileURLToPath(new URL(example, import.meta.url))
  // In a process group, so that the example's own children end with it.
  const child = spawn(process.execPath, ['--conditions=concurrency-kit-source', program], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)])
  return { lines: output.trim().split('\n'), errors }
}

const run = async (example: string) => {
  const { lines, errors } = await start(example)
  expect(errors).toBe('')
  return lines
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
    expect.stringMatching(/^refuse: AMBIGUOUS_OUTCOME: .* its effect may have happened; charges: 1$/),
    'probe: paid 10000; charges: 1',
  ])
}, 120_000)

test('X11: payers that lose their lease before they charge do not keep the example waiting', async () => {
  const { errors } = await start('payment-provider/crash.ts', { LEASE_MS: '1' })
  expect(errors).toContain('no payer was killed while the provider worked, in 10 tries')
}, 120_000)

test('an optimistic update of a document: no change is lost', async () => {
  expect(await run('document-update.ts')).toEqual([
    'tags: draft, en, ko, new, public',
    'version: 6',
    'changes that met another and ran again: some',
  ])
})
