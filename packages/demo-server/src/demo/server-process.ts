import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { onExit } from './on-exit.ts'

export interface ServerProcess {
  readonly url: string
  readonly pid: number
  /** Sum of all samples of a Prometheus metric. */
  counter(name: string): Promise<number>
  /** Ends the process, at the latest after ten seconds by force. */
  stop(): Promise<void>
  /** Ends it as `kill -9` does: in the middle of whatever it does. */
  kill(): Promise<void>
}

const demoServer = new URL('../main.ts', import.meta.url)
const READY_MS = 20_000
const STOP_MS = 10_000

/** Starts a server as a process of its own on a free port, or on `PORT`, and resolves when it is ready. */
export async function startServer(
  settings: Readonly<Record<string, string>>,
  program: URL = demoServer,
): Promise<ServerProcess> {
  const port = settings.PORT ?? (await freePort())
  const child = spawn(process.execPath, ['--conditions=concurrency-kit-source', fileURLToPath(program)], {
    env: {
      ...process.env,
      REDIS_URL: undefined,
      LOG_LEVEL: 'error',
      ...settings,
      HOST: '127.0.0.1',
      PORT: String(port),
    },
    // Behind it are the temporary files of this run: a shell or a wrapper between would keep a signal from it.
    shell: false,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const forget = onExit(() => child.kill('SIGKILL'))
  const exited = once(child, 'exit').finally(forget)
  const url = `http://127.0.0.1:${port}`
  try {
    await ready(url, exited)
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
  return {
    url,
    pid: child.pid ?? Number.NaN,
    counter: async (name) => counterIn(await (await fetch(`${url}/metrics`)).text(), name),
    stop: async () => {
      child.kill('SIGTERM')
      const stopped = new AbortController()
      const patience = setTimeout(STOP_MS, undefined, { signal: stopped.signal }).then(
        () => child.kill('SIGKILL'),
        () => {},
      )
      await exited
      stopped.abort()
      await patience
    },
    kill: async () => {
      child.kill('SIGKILL')
      await exited
    },
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port to be had')
  return address.port
}

async function ready(url: string, exited: Promise<unknown[]>): Promise<void> {
  let gone: unknown[] | undefined
  exited.then((exit) => {
    gone = exit
  })
  const deadline = performance.now() + READY_MS
  while (performance.now() < deadline) {
    if (gone) throw new Error(`The server ended before it was ready (${gone.filter((part) => part !== null)})`)
    const answer = await fetch(`${url}/ready`).catch(() => undefined)
    if (answer?.ok) return
    await setTimeout(25)
  }
  throw new Error(`The server was not ready within ${READY_MS} ms`)
}

function counterIn(metrics: string, name: string): number {
  const samples = metrics.split('\n').filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
  if (samples.length === 0) throw new Error(`/metrics has no ${name}`)
  return samples.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
}
