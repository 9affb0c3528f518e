import { shown } from '../options.ts'
import { type IoredisClient, keyOnServer } from './client.ts'

const SLOTS = 16_384

/**
 * Names keys of the kit's own that belong beside a caller's key: on a Cluster, in its slot.
 *
 * The caller's key is taken as it is, braces and all, so the slot is computed from it, and a tag is found that has it.
 */
export class KeysBeside {
  readonly #client: IoredisClient
  /** By slot, as far as they had to be tried: some 160 000 for all slots. */
  readonly #tags = new Map<number, string>()
  #tried = 0

  /** @throws TypeError on a Cluster, for a `keyPrefix` with an empty tag: no tag behind it would count. */
  constructor(client: IoredisClient) {
    const { keyPrefix = '' } = client.options
    if (client.isCluster && /^[^{]*\{\}/.test(keyPrefix)) {
      throw new TypeError(`client.options.keyPrefix must not have an empty hash tag, but is ${shown(keyPrefix)}`)
    }
    this.#client = client
  }

  /** The same for every key in its slot, unless `name` has the key in it. */
  name(key: string, name: string): string {
    return this.#client.isCluster ? `concurrency-kit:{${this.#tagOf(key)}}:${name}` : `concurrency-kit:${name}`
  }

  #tagOf(key: string): string {
    const slot = slotOf(keyOnServer(this.#client, key))
    for (;;) {
      const known = this.#tags.get(slot)
      if (known !== undefined) return known
      const tag = (this.#tried++).toString(36)
      // With the prefix: one that has braces of its own decides the slot.
      const found = slotOf(keyOnServer(this.#client, `concurrency-kit:{${tag}}`))
      if (!this.#tags.has(found)) this.#tags.set(found, tag)
    }
  }
}

/**
 * A key's hash slot: CRC-16/XMODEM of its hash tag, or of the whole key where there is no tag or an empty one.
 *
 * @see https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags
 */
export function slotOf(key: string): number {
  const bytes = Buffer.from(key)
  const open = bytes.indexOf('{')
  const close = open < 0 ? -1 : bytes.indexOf('}', open + 1)
  return crc16(close > open + 1 ? bytes.subarray(open + 1, close) : bytes) % SLOTS
}

function crc16(bytes: Uint8Array): number {
  let crc = 0
  for (const byte of bytes) crc = ((crc << 8) & 0xffff) ^ (CRC_TABLE[(crc >> 8) ^ byte] as number)
  return crc
}

const CRC_TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1
  return crc
})
