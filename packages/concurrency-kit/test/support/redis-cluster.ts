import {
  askRedis,
  freePorts,
  pingRedis,
  type RedisServers,
  redisServer,
  serveRedis,
  untilConnected,
} from './containers.ts'

/** A Redis Cluster of 3 masters without replicas. */
export interface RedisCluster extends RedisServers {
  /** The port of the master that has `key`. */
  masterOf(key: string): Promise<number>
  signal(port: number, signal: 'STOP' | 'CONT'): Promise<void>
  /** Kills a master and starts it again with what is on its disk; resolves when it serves its slots, after 2 s by Redis's rule. */
  restart(port: number): Promise<void>
  flush(port: number): Promise<void>
  /** Moves the slot of `key`, with all that is in it, to another master. */
  moveSlotOf(key: string): Promise<void>
}

/** @param options.flags - Further flags of each `redis-server`, such as `--appendonly yes`. */
export async function startRedisCluster({ flags = '' } = {}): Promise<RedisCluster> {
  const [ports, busPorts] = await Promise.all([freePorts(3), freePorts(3)])
  const cluster = '--cluster-enabled yes --cluster-announce-ip 127.0.0.1 --cluster-port'
  const commandOf = (port: number) => redisServer(port, `${cluster} ${busPorts[ports.indexOf(port)]} ${flags}`)
  const nodes = ports.map((port) => `127.0.0.1:${port}`)
  let formed = false
  // The container ends with the last process that it began with, and each of these may be killed.
  const staying = 'tail -f /dev/null &'
  const servers = await serveRedis(ports, [...ports.map(commandOf), staying], async (container) => {
    for (const port of ports) await untilConnected(() => pingRedis(port))
    if (!formed) await container.exec(['redis-cli', '--cluster', 'create', ...nodes, '--cluster-yes'])
    formed = true
    for (const port of ports) await untilServing(port)
  })
  const inside = (script: string) => servers.exec('sh', '-c', script)
  const masterOf = (key: string) => masterAmong(ports, key)
  return {
    ...servers,
    masterOf,
    signal: async (port, signal) => {
      await inside(`kill -${signal} $(cat /tmp/${port}/pid)`)
    },
    restart: async (port) => {
      const killed = `pid=$(cat /tmp/${port}/pid); kill -KILL $pid; while kill -0 $pid 2>/dev/null; do :; done`
      await inside(`${killed}; ${commandOf(port)}`)
      await untilServing(port)
    },
    flush: async (port) => {
      await askRedis(port, (redis) => redis.flushall())
    },
    moveSlotOf: async (key) => {
      const from = await masterOf(key)
      await moveSlot(ports, key, from, ports.find((port) => port !== from) as number)
    },
  }
}

function untilServing(port: number): Promise<void> {
  return untilConnected(async () => {
    const info = await askRedis(port, (redis) => redis.cluster('INFO'))
    if (!info.includes('cluster_state:ok')) throw new Error(info)
  })
}

async function masterAmong(ports: readonly number[], key: string): Promise<number> {
  for (const port of ports) {
    // The others send elsewhere.
    const has = await askRedis(port, (redis) => redis.exists(key)).then(
      () => true,
      () => false,
    )
    if (has) return port
  }
  throw new Error(`no master has ${key}`)
}

/** As the Redis Cluster specification says it is done, "Cluster live reconfiguration". */
async function moveSlot(ports: readonly number[], key: string, from: number, to: number): Promise<void> {
  const slot = await askRedis(from, (redis) => redis.cluster('KEYSLOT', key))
  const [fromId, toId] = await Promise.all(
    [from, to].map((port) => askRedis(port, (redis) => redis.call('CLUSTER', 'MYID') as Promise<string>)),
  )
  await askRedis(to, (redis) => redis.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId as string))
  await askRedis(from, async (redis) => {
    await redis.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId as string)
    for (;;) {
      const keys = (await redis.call('CLUSTER', 'GETKEYSINSLOT', slot, 100)) as string[]
      if (keys.length === 0) return
      await redis.call('MIGRATE', '127.0.0.1', to, '', 0, 5_000, 'KEYS', ...keys)
    }
  })
  for (const port of [to, from, ...ports.filter((each) => each !== from && each !== to)])
    await askRedis(port, (redis) => redis.call('CLUSTER', 'SETSLOT', slot, 'NODE', toId as string))
}
