/** Loaded before the payer; where its records are in SQLite, it tells what it did there, or lets it kill itself at a statement. */
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'

// The first fetch loads so much that a loaded machine would take the lease away meanwhile.
await fetch('data:,')

const { HEARD_IN, DIE_AT } = process.env
if (HEARD_IN !== undefined || DIE_AT !== undefined) {
  const { OwnStatements } = await import('../crash-matrix/own-statements.ts')
  const statements = new OwnStatements()
  statements.watch(createRequire(import.meta.url)('better-sqlite3').prototype)
  if (DIE_AT !== undefined) statements.arm(JSON.parse(DIE_AT))
  if (HEARD_IN !== undefined) process.on('exit', () => writeFileSync(HEARD_IN, JSON.stringify(statements.heard)))
}
