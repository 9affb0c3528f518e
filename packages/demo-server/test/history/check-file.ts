import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { HistoryChecker, type Verdict } from './checker.ts'

/** Judges a history line by line. */
export async function checkFile(file: string): Promise<Verdict> {
  const checker = new HistoryChecker()
  const lines = createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })
  for await (const line of lines) if (line !== '') checker.take(JSON.parse(line))
  return checker.finish()
}
