import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, globSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { spawn } from './children.ts'
import { freePorts, pingPostgres, pingRedis, untilConnected } from './containers.ts'

const [library] = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1')

/** What this machine has for it: libfaketime (on Debian `apt-get install faketime`), and servers that can be started on it. */
export const canStepClocks = library !== undefined
export const hasLocalRedis = canStepClocks && onPath('redis-server')
const postgresBin = globSync('/usr/lib/postgresql/*/bin').at(-1)
export const hasLocalPostgres = canStepClocks && postgresBin !== undefined

/** A wall clock that is the processes' own, by the variables of {@link env}; their monotonic clock is the machine's. */
export class SteppedClock {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'concurrency-kit-clock-'))
  readonly #file = path.join(this.folder, 'offset')

  constructor() {
    this.step(0)
  }

  get env(): NodeJS.ProcessEnv {
    return {
      // The C library's own malloc: jemalloc, which Redis is built with, asks for the time before libfaketime can tell it.
      LD_PRELOAD: `${library} libc.so.6`,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    }
  }

  readonly step = (ms: number): void => {
    // At once for everybody: a file that is being written is read half.
    writeFileSync(`${this.#file}-next`, `${ms < 0 ? '' : '+'}${ms / 1_000}s\n`)
    renameSync(`${this.#file}-next`, this.#file)
  }

  close(): void {
    rmSync(this.folder, { recursive: true })
  }
}

export interface SteppedServer {
  readonly url: string
  /** How far its wall clock is from the machine's from now on. */
  readonly step: (ms: number) => void
  stop(): Promise<void>
}

export async function startSteppedRedis(): Promise<SteppedServer> {
  const [port = 0] = await freePorts(1)
  const settings = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '']
  return serve('redis-server', settings, `redis://127.0.0.1:${port}`, new SteppedClock(), () => pingRedis(port))
}

export async function startSteppedPostgres(): Promise<SteppedServer> {
  const [port = 0] = await freePorts(1)
  const clock = new SteppedClock()
  const data = path.join(clock.folder, 'data')
  const bin = (name: string) => path.join(postgresBin as string, name)
  // Postgres refuses to run as root.
  const user = process.getuid?.() === 0 ? { uid: idOf('-u'), gid: idOf('-g') } : undefined
  if (user !== undefined) chownSync(clock.folder, user.uid, user.gid)
  execFileSync(bin('initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync'], {
    ...user,
    cwd: clock.folder,
    stdio: 'ignore',
  })
  const settings = ['-D', data, '-p', `${port}`, '-h', '127.0.0.1', '-k', clock.folder]
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  return serve(bin('postgres'), settings, url, clock, () => pingPostgres(url), user)
}

async function serve(
  command: string,
  settings: readonly string[],
  url: string,
  clock: SteppedClock,
  ping: () => Promise<void>,
  user: object = {},
): Promise<SteppedServer> {
  const env = { ...process.env, ...clock.env }
  const server = spawn(command, settings, { ...user, env, cwd: clock.folder, stdio: 'ignore' })
  const stop = async () => {
    const ended = once(server, 'exit')
    server.kill('SIGINT')
    await ended
    clock.close()
  }
  const ended = once(server, 'exit').then(([code, signal]) => {
    throw new Error(`${path.basename(command)} on a clock of its own ended by itself: ${code ?? signal}`)
  })
  await Promise.race([untilConnected(ping), ended])
  ended.catch(() => {})
  return { url, step: clock.step, stop }
}

function onPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(':').some((folder) => existsSync(path.join(folder, program)))
}

function idOf(kind: '-u' | '-g'): number {
  return Number(execFileSync('id', [kind, 'postgres'], { encoding: 'utf8' }))
}
