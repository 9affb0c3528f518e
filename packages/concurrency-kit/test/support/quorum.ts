import { setTimeout } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { type RedisServers, startRedis } from './containers.ts'
import { FaultyLine } from './faulty-line.ts'
import { nodeOn } from './redlock.ts'

/** Independent Redis nodes, and lines to them on which things go wrong. */
export interface Quorum {
  /** Clients that go around the lines. */
  readonly direct: readonly Redis[]
  /** Lines of its own, and clients on them, for each that asks: as another process has them. */
  connect(options?: { readonly socketTimeout?: number }): Promise<Connected>
  /** Sends a signal to the server behind one node. */
  signal(node: number, signal: 'STOP' | 'CONT'): Promise<void>
  /** Kills the server behind one node and starts it again without its data. */
  restartEmpty(node: number): Promise<void>
  stop(): Promise<void>
}

export interface Connected {
  readonly lines: readonly FaultyLine[]
  readonly nodes: readonly Redis[]
  close(): Promise<void>
}

export async function startQuorum(count: number): Promise<Quorum> {
  const servers = await startRedis({ count })
  const direct = servers.ports.map((port) => nodeOn(port))
  const inside = (script: string) => servers.exec('sh', '-c', script)
  /** Inside, of servers that have been sent a signal: one that is stopped cannot say it. */
  const pids = new Map<number, string>()
  const pidOf = async (node: number) => {
    const info = (await direct[node]?.info('server')) ?? ''
    return /^process_id:(\d+)/m.exec(info)?.[1] as string
  }
  return {
    direct,
    connect: (options) => connect(servers, options),
    signal: async (node, signal) => {
      const pid = pids.get(node) ?? (await pidOf(node))
      pids.set(node, pid)
      await inside(`kill -${signal} ${pid}`)
    },
    restartEmpty: async (node) => {
      const port = servers.ports[node]
      const pid = await pidOf(node)
      const killed = `kill -KILL ${pid}; while kill -0 ${pid} 2>/dev/null; do :; done`
      const start = `redis-server --port ${port} --bind 0.0.0.0 --protected-mode no --save '' --daemonize yes >/dev/null`
      await inside(`${killed}; ${start}; until redis-cli -p ${port} ping 2>/dev/null | grep -q PONG; do :; done`)
      pids.delete(node)
      await untilAnswers(direct[node] as Redis)
    },
    stop: async () => {
      for (const node of direct) node.disconnect()
      await servers.stop()
    },
  }
}

async function connect(servers: RedisServers, options?: { readonly socketTimeout?: number }): Promise<Connected> {
  const lines = await Promise.all(servers.ports.map((port) => FaultyLine.to(port)))
  const nodes = lines.map(({ port }) => nodeOn(port, options))
  await Promise.all(nodes.map((node) => node.ping()))
  return {
    lines,
    nodes,
    close: async () => {
      for (const node of nodes) node.disconnect()
      await Promise.all(lines.map((line) => line.close()))
    },
  }
}

async function untilAnswers(node: Redis): Promise<void> {
  for (;;) {
    if (await node.ping().catch(() => undefined)) return
    await setTimeout(10)
  }
}
