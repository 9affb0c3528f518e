import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onExit } from './on-exit.ts'

/** Made now, and gone with this process. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'concurrency-kit-'))
  onExit(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }))
  return folder
}
