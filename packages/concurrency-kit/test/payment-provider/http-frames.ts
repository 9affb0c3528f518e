import { randomBytes } from 'node:crypto'
import type { Frames, Reply, Request } from '../crash-matrix/wire.ts'

/** Small messages of HTTP, in halves: a statement is half a request, an answer half a reply, and either may come alone. */
export class HttpFrames implements Frames {
  readonly backend = undefined
  readonly #freshKeys: boolean

  /** @param freshKeys - Puts another idempotency key into every request, as if it had been made afresh. */
  constructor(freshKeys = false) {
    this.#freshKeys = freshKeys
  }

  requests(data: Buffer): Request[] {
    const [line = ''] = data.toString('latin1').split('\r\n')
    return halves(this.#freshKeys ? withFreshKey(data) : data).map((half) => ({ data: half, text: line }))
  }

  replies(data: Buffer): Reply[] {
    return halves(data).map((half) => ({ data: half, ends: true }))
  }
}

function halves(data: Buffer): Buffer[] {
  const middle = data.length >> 1
  return [data.subarray(0, middle), data.subarray(middle)]
}

function withFreshKey(data: Buffer): Buffer {
  const key = /(?<=idempotency-key: )[0-9a-f]{64}/i
  return Buffer.from(data.toString('latin1').replace(key, randomBytes(32).toString('hex')), 'latin1')
}
