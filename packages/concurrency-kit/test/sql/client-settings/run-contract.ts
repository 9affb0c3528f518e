import { once } from 'node:events'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { spawn } from '../../support/children.ts'
import type { Outcomes } from '../../support/outcomes.ts'
import type { Setting } from './settings.ts'

/** Longest time for a contract, in ms, each of whose tests has a limit of its own. */
const LIMIT_MS = 25_000

/** Runs a contract in a child process: a loop that does not yield stops that one, and not the tests. */
export async function runContract(
  database: 'SQLite' | 'Postgres',
  suite: string,
  setting: Setting,
  url = '',
): Promise<Outcomes | 'the process hung'> {
  const child = spawn(process.execPath, [path.join(import.meta.dirname, 'child.ts'), database, suite, setting], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, DATABASE_URL: url },
  })
  const exit = once(child, 'exit')
  const over = new AbortController()
  try {
    const output = text(child.stdout)
    const hung = setTimeout(LIMIT_MS, 'the process hung' as const, { signal: over.signal })
    hung.catch(() => {})
    const ended = await Promise.race([output, hung])
    // Knex, too, writes to standard output.
    return ended === 'the process hung' ? ended : JSON.parse(ended.trim().split('\n').at(-1) ?? '')
  } finally {
    over.abort()
    child.kill('SIGKILL')
    await exit
  }
}
