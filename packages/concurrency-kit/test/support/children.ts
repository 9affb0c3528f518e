import childProcess, { type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'

const children = new Set<ChildProcess>()
/** Of children that were started with `detached: true`: their own children too. */
const groups = new Set<number>()
let watchdog: ChildProcess | undefined

/**
 * As in `node:child_process`, but the child does not outlive this process, however that ends: a watchdog process kills what is
 * left. In a test file it does not outlive the file either, and the file fails.
 */
export const spawn: typeof childProcess.spawn = (...args: unknown[]) => {
  const child = (childProcess.spawn as (...args: unknown[]) => ChildProcess)(...args)
  return endWithThis(child, args) as never
}

/** The same for `fork`. */
export const fork: typeof childProcess.fork = (...args: unknown[]) => {
  const child = (childProcess.fork as unknown as (...args: unknown[]) => ChildProcess)(...args)
  return endWithThis(child, args)
}

function endWithThis(child: ChildProcess, args: readonly unknown[]): ChildProcess {
  const { pid } = child
  if (pid === undefined) return child
  const group = Reflect.get(Object(args.at(-1)), 'detached') === true
  children.add(child)
  if (group) groups.add(pid)
  tell(`+${pid}`)
  child.once('exit', () => {
    children.delete(child)
    if (!group) tell(`-${pid}`)
  })
  return child
}

/** Kills what {@link spawn} and {@link fork} have started and still runs, and resolves to what that was. */
export async function endChildren(graceMs = 2_000): Promise<string[]> {
  const exits = Promise.all(Array.from(children, (child) => once(child, 'exit')))
  // What has been told to end may be about to.
  const patience = new AbortController()
  await Promise.race([exits, setTimeout(graceMs, undefined, { signal: patience.signal }).catch(() => {})])
  patience.abort()
  const left = Array.from(children, (child) => child.spawnargs.join(' '))
  for (const child of children) child.kill('SIGKILL')
  await exits
  for (const pid of groups) if (killGroup(pid)) left.push(`children of process ${pid}`)
  groups.clear()
  return left
}

function tell(line: string): void {
  watchdog ??= startWatchdog()
  watchdog.stdin?.write(`${line}\n`)
}

/** In a process group of its own, so that Ctrl-C does not reach it before its work is done. */
function startWatchdog(): ChildProcess {
  const program = path.join(import.meta.dirname, 'children-watchdog.ts')
  const started = childProcess.spawn(process.execPath, [program], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  started.unref()
  const input = started.stdin as Socket | null
  input?.unref()
  input?.on('error', () => {})
  return started
}

function killGroup(pid: number): boolean {
  try {
    return process.kill(-pid, 'SIGKILL')
  } catch {
    return false
  }
}
