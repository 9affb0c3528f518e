/** The demo server, with leases that are lost and waits that end soon enough for a history to have many of them. */
import pino from 'pino'
import { readConfig } from '../../src/config.ts'
import { startDemoServer } from '../../src/demo-server.ts'

const limits = { lockTtlMs: 1_000, lockWaitMs: 3_000, keyWaitMs: 2_000 }

const config = readConfig(process.env)
const log = pino({ level: config.logLevel })
const server = await startDemoServer({ ...config, limits: { ...config.limits, ...limits } }, log)
process.once('SIGTERM', () => server.close())
