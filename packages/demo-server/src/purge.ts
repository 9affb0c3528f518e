import { type PurgeOptions, purgeExpired } from 'concurrency-kit'

const EVERY_MS = 10 * 60_000

/** Deletes expired records now and every ten minutes; the function returned stops that, after the batch that runs. */
export function purgeRegularly(
  store: PurgeOptions['store'],
  report: (outcome: number | Error) => void,
): () => Promise<void> {
  const stop = new AbortController()
  const purge = async () => {
    try {
      const deleted = await purgeExpired({ store, signal: stop.signal })
      if (deleted > 0) report(deleted)
    } catch (error) {
      if (stop.signal.aborted) return
      report(error instanceof Error ? error : new Error('purge failed', { cause: error }))
    }
  }
  let running = purge()
  const timer = setInterval(() => {
    running = running.then(purge)
  }, EVERY_MS)
  return () => {
    stop.abort()
    clearInterval(timer)
    return running
  }
}
