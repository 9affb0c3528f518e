import { execFileSync } from 'node:child_process'
import { setTimeout } from 'node:timers/promises'
import { Redis } from 'ioredis'
import pg from 'pg'
import { GenericContainer, type StartedTestContainer } from 'testcontainers'

const REDIS_IMAGE = process.env.CONCURRENCY_KIT_REDIS_IMAGE || 'redis:7-alpine'
const POSTGRES_IMAGE = process.env.CONCURRENCY_KIT_POSTGRES_IMAGE || 'postgres:15-alpine'

/** Longest time for a server to take connections, in ms: the first start of Postgres makes its files. */
const START_MS = 60_000

export interface Container {
  /** Stops the container's processes where they are, as `SIGSTOP` does. */
  pause(): void
  unpause(): void
  /** Kills the servers at once (`SIGKILL`). */
  kill(): void
  /** Starts what was killed, with the data that is on its disk, on the same ports; resolves when it takes connections. */
  start(): Promise<void>
  /** Runs a command inside, and gives what it printed. */
  exec(...command: string[]): Promise<string>
  stop(): Promise<void>
}

export interface RedisServers extends Container {
  readonly ports: readonly number[]
}

export interface PostgresServer extends Container {
  readonly url: string
  readonly port: number
}

/**
 * Redis servers in one container, on ports of 127.0.0.1 that are the same inside and outside.
 *
 * @param options.count - How many. @defaultValue 1
 * @param options.flags - Further flags of each `redis-server`, such as `--appendonly yes`.
 */
export async function startRedis({ count = 1, flags = '' } = {}): Promise<RedisServers> {
  const ports = await freePorts(count)
  const serve = (port: number) =>
    `mkdir -p /tmp/${port} && (cd /tmp/${port} && exec redis-server --port ${port} --bind 0.0.0.0 --protected-mode no --save '' ${flags} >/tmp/${port}/log) &`
  const container = await new GenericContainer(REDIS_IMAGE)
    .withEntrypoint(['sh', '-c', `${ports.map(serve).join(' ')} wait`])
    .withExposedPorts(...ports.map((port) => ({ container: port, host: port })))
    .start()
  const ready = async () => {
    for (const port of ports) await untilConnected(() => pingRedis(port))
  }
  await ready()
  return { ports, ...controls(container, ready) }
}

/** A Postgres with the user and database `postgres`, without a password, on a port of 127.0.0.1. */
export async function startPostgres(): Promise<PostgresServer> {
  const [port = 0] = await freePorts(1)
  const container = await new GenericContainer(POSTGRES_IMAGE)
    .withEnvironment({ POSTGRES_HOST_AUTH_METHOD: 'trust' })
    .withExposedPorts({ container: 5432, host: port })
    .start()
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  const ready = () => untilConnected(() => pingPostgres(url))
  await ready()
  return { url, port, ...controls(container, ready) }
}

/** Whether a Docker engine answers. */
export function dockerAnswers(): boolean {
  try {
    execFileSync('docker', ['info'], { stdio: 'ignore', timeout: 10_000 })
    return true
  } catch {
    return false
  }
}

function controls(container: StartedTestContainer, ready: () => Promise<void>): Container {
  const docker = (...args: string[]) => {
    execFileSync('docker', [...args, container.getId()], { stdio: 'ignore' })
  }
  return {
    pause: () => docker('pause'),
    unpause: () => docker('unpause'),
    kill: () => docker('kill'),
    start: async () => {
      docker('start')
      await ready()
    },
    exec: async (...command) => (await container.exec(command)).output,
    stop: async () => {
      await container.stop({ timeout: 0 })
    },
  }
}

async function pingRedis(port: number): Promise<void> {
  const redis = new Redis({ port, lazyConnect: true, retryStrategy: () => null, connectTimeout: 1_000 })
  redis.on('error', () => {})
  try {
    await redis.connect()
    await redis.ping()
  } finally {
    redis.disconnect()
  }
}

async function pingPostgres(connectionString: string): Promise<void> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 1_000 })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('SELECT 1')
  } finally {
    await client.end()
  }
}

/** Waits by connecting: images log different lines, and some take connections twice before they stay up. */
async function untilConnected(connect: () => Promise<void>): Promise<void> {
  const endMs = performance.now() + START_MS
  for (let inARow = 0; inARow < 2; ) {
    try {
      await connect()
      inARow += 1
    } catch (error) {
      if (performance.now() > endMs) throw error
      inARow = 0
    }
    await setTimeout(100)
  }
}

export async function freePorts(count: number): Promise<number[]> {
  const { createServer } = await import('node:net')
  const probes = await Promise.all(
    Array.from({ length: count }, () => {
      const probe = createServer()
      return new Promise<typeof probe>((resolve) => probe.listen(0, '127.0.0.1', () => resolve(probe)))
    }),
  )
  const ports = probes.map((probe) => (probe.address() as { port: number }).port)
  await Promise.all(probes.map((probe) => new Promise((resolve) => probe.close(resolve))))
  return ports
}
