import pino, { type Logger } from 'pino'
import { type Limits, readConfig, type Switches } from '../../src/config.ts'
import { startDemoServer } from '../../src/demo-server.ts'
import { type Backing, embedded, type OpenBacking } from './backing.ts'

export interface TestServer {
  readonly url: string
  readonly backing: Backing
  /** Closes the server, and discards what is behind it. */
  close(): Promise<void>
}

interface Settings {
  readonly users?: number
  readonly switches?: Partial<Switches>
  readonly limits?: Partial<Limits>
  readonly log?: Logger
  readonly env?: Readonly<Record<string, string>>
}

/** The real server in this process, on a free port. */
export async function startTestServer(settings: Settings = {}, open: OpenBacking = embedded): Promise<TestServer> {
  const { users = 20, switches, limits, log, env } = settings
  const backing = await open()
  const config = readConfig({ PORT: '0', ...backing.env, ...env })
  const server = await startDemoServer(
    {
      ...config,
      seedUsers: users,
      switches: { ...config.switches, ...switches },
      limits: { ...config.limits, ...limits },
    },
    log ?? pino({ level: 'silent' }),
  )
  return {
    url: server.url,
    backing,
    close: async () => {
      await server.close()
      await backing.discard()
    },
  }
}
