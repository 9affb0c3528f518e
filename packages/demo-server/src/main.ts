import pino from 'pino'
import { readConfig } from './config.ts'
import { ConfigError } from './config-error.ts'
import { type DemoServer, startDemoServer } from './demo-server.ts'

const signals = ['SIGTERM', 'SIGINT'] as const

async function main(): Promise<void> {
  const config = readConfig(process.env)
  // Written in the background: a request does not wait for its log lines.
  const log = pino({ level: config.logLevel }, pino.destination({ sync: false }))
  const server = await startDemoServer(config, log)
  log.info(`Listening on ${server.url}`)
  stopOnSignal(server, log)
}

function stopOnSignal(server: DemoServer, log: pino.Logger): void {
  const stop = async (signal: NodeJS.Signals) => {
    // From here on a second signal has its default effect: it ends the process at once.
    for (const name of signals) process.removeListener(name, stop)
    log.info(`${signal}: finishing what is running`)
    try {
      await server.close()
      log.info('Stopped')
    } catch (error) {
      log.error({ err: error }, 'Stopping failed')
      process.exitCode = 1
    }
  }
  for (const name of signals) process.on(name, stop)
}

main().catch((error) => {
  console.error(error instanceof ConfigError ? error.message : error)
  process.exitCode = 1
})
