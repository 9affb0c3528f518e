import { closeSync, openSync, writeSync } from 'node:fs'
import type { HistoryLine } from './format.ts'

const CHUNK = 64 * 1024

/** Of all that a history has in it, in µs. */
export function nowMicros(): number {
  return Math.round(performance.now() * 1_000)
}

/** Writes lines to a file as they come, so that a history of any length is never in memory. */
export class Recorder {
  readonly #file: number
  #text = ''

  constructor(file: string) {
    this.#file = openSync(file, 'w')
  }

  write(line: HistoryLine): void {
    this.#text += `${JSON.stringify(line)}\n`
    if (this.#text.length > CHUNK) this.#flush()
  }

  close(): void {
    this.#flush()
    closeSync(this.#file)
  }

  #flush(): void {
    writeSync(this.#file, this.#text)
    this.#text = ''
  }
}
