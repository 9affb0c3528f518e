import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import type * as kit from '../src/index.ts'
import { inRounds, print } from './rounds.ts'

type Kit = typeof kit

const packageDir = path.resolve(import.meta.dirname, '..')

const check = /\b(events\.\w+\.\w+|trace)\.hasSubscribers/g

/** A copy of the sources, so that neither side was run before; without events, nobody can be subscribed and nothing looks. */
function copyOfSources(folder: string, withEvents: boolean): string {
  const copy = path.join(folder, withEvents ? 'with' : 'without')
  cpSync(path.join(packageDir, 'src'), path.join(copy, 'src'), { recursive: true })
  cpSync(path.join(packageDir, 'package.json'), path.join(copy, 'package.json'))
  symlinkSync(path.join(packageDir, 'node_modules'), path.join(copy, 'node_modules'))
  for (const name of readdirSync(path.join(copy, 'src'), { recursive: true, encoding: 'utf8' })) {
    if (withEvents || !name.endsWith('.ts')) continue
    const file = path.join(copy, 'src', name)
    writeFileSync(file, readFileSync(file, 'utf8').replace(check, 'false'))
  }
  return pathToFileURL(path.join(copy, 'src/index.ts')).href
}

function lockOf({ memoryLockStore, withDistributedLock }: Kit, callers: number) {
  const store = memoryLockStore()
  return async (count: number) => {
    let left = count
    const caller = async () => {
      while (left > 0) {
        left -= 1
        await withDistributedLock({ store, key: 'k' }, async () => {})
      }
    }
    await Promise.all(Array.from({ length: callers }, caller))
  }
}

function updateOf({ memoryVersionedStore, optimisticUpdate }: Kit) {
  const store = memoryVersionedStore<number, { n: number }>({ rows: [[1, { n: 0 }]] })
  return async (count: number) => {
    for (let done = 0; done < count; done += 1) await optimisticUpdate({ store, id: 1 }, ({ n }) => ({ n: n + 1 }))
  }
}

function keyOf({ memoryIdempotencyStore, withIdempotency }: Kit) {
  return async (count: number) => {
    const store = memoryIdempotencyStore()
    for (let done = 0; done < count; done += 1)
      await withIdempotency({ store, key: `k${done}`, onAmbiguous: 'refuse' }, () => done)
  }
}

/** What the events cost while nobody listens: beside the same sources without them. */
export async function eventsWithoutSubscribers(rounds: number): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'concurrency-kit-bench-'))
  try {
    const without: Kit = await import(copyOfSources(folder, false))
    const kit: Kit = await import(copyOfSources(folder, true))
    const works = {
      'lock, 1 caller': (from: Kit) => lockOf(from, 1),
      'lock, 500 callers': (from: Kit) => lockOf(from, 500),
      idempotency: keyOf,
      'optimistic update': updateOf,
    }
    for (const [title, work] of Object.entries(works)) {
      const contenders = [
        { name: 'no events in the code', run: work(without) },
        { name: 'events, nobody subscribed', run: work(kit) },
      ]
      print(`Events: ${title}`, '/s', await inRounds(contenders, rounds * 8, 20_000))
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
