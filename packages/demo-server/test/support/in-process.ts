import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino, { type Logger } from 'pino'
import { type Config, defaultLimits, type Limits, readConfig, type Switches } from '../../src/config.ts'
import { startDemoServer } from '../../src/demo-server.ts'

export interface TestServer {
  readonly url: string
  readonly file: string
  close(): Promise<void>
}

interface Settings {
  readonly users?: number
  readonly switches?: Partial<Switches>
  readonly limits?: Partial<Limits>
  readonly log?: Logger
  /** An existing database instead of a fresh one. */
  readonly file?: string
}

/** The real server in this process, on a free port and a file of its own. */
export async function startTestServer({ users = 20, switches, limits, log, file }: Settings = {}): Promise<TestServer> {
  const folder = temporaryFolder()
  const config: Config = {
    ...readConfig({ PORT: '0' }),
    databaseFile: file ?? join(folder, 'demo.db'),
    seedUsers: users,
    switches: { lock: true, versionCheck: true, idempotency: true, ...switches },
    limits: { ...defaultLimits, ...limits },
  }
  const server = await startDemoServer(config, log ?? pino({ level: 'silent' }))
  return {
    url: server.url,
    file: config.databaseFile,
    close: async () => {
      await server.close()
      rmSync(folder, { recursive: true })
    },
  }
}

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'demo-server-'))
}
