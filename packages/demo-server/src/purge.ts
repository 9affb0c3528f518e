import { setImmediate } from 'node:timers/promises'

const EVERY_MS = 10 * 60_000
const BATCH = 500

interface PurgeableStore {
  purge(request: { readonly limit: number }): Promise<number>
}

/** Deletes expired records now and every ten minutes; the function returned stops that, after the batch that runs. */
export function purgeRegularly(store: PurgeableStore, report: (outcome: number | Error) => void): () => Promise<void> {
  let stopped = false
  const purge = async () => {
    try {
      const deleted = await purgeAll(store, () => stopped)
      if (deleted > 0) report(deleted)
    } catch (error) {
      report(error instanceof Error ? error : new Error('purge failed', { cause: error }))
    }
  }
  let running = purge()
  const timer = setInterval(() => {
    running = running.then(purge)
  }, EVERY_MS)
  return () => {
    stopped = true
    clearInterval(timer)
    return running
  }
}

/** Small transactions, and a turn of the event loop for the requests between them. */
async function purgeAll(store: PurgeableStore, stopped = () => false): Promise<number> {
  let deleted = 0
  let batch = BATCH
  while (batch === BATCH && !stopped()) {
    batch = await store.purge({ limit: BATCH })
    deleted += batch
    await setImmediate()
  }
  return deleted
}
