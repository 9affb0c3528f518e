import { ask } from '../../../store-command.ts'
import type { Clock } from '../../../time/clock.ts'

/** What the store uses of a connected `pg` client; the caller's, never ended and never configured here. */
export interface AnnouncementClient {
  query(text: string): Promise<unknown>
  /** Of a pool, which is none. */
  readonly totalCount?: never
  // biome-ignore lint/suspicious/noExplicitAny: each event brings something else, or nothing
  on(event: 'notification' | 'end', listener: (message: any) => void): unknown
  // biome-ignore lint/suspicious/noExplicitAny: as above
  removeListener(event: 'notification' | 'end', listener: (message: any) => void): unknown
}

export interface AnnouncementsOptions {
  readonly client: AnnouncementClient
  readonly channel: string
  readonly clock: Clock
  /** Longest time for a command, in ms. */
  readonly commandMs: number
}

/** Called with whose turn it is and who comes after, and without where announcements may have been missed. */
type Listener = (turn?: string, after?: string) => void

/** Who waits for which key, and the one connection on which its release is heard. */
export class Announcements {
  readonly #options: AnnouncementsOptions
  readonly #watchers = new Map<string, Set<Listener>>()
  /** The LISTEN, from the first who waits on. */
  #listening: Promise<void> | undefined
  #heard = false

  constructor(options: AnnouncementsOptions) {
    this.#options = options
  }

  watch(key: string, hear: Listener): () => void {
    const watchers = this.#watchers.get(key) ?? new Set()
    this.#watchers.set(key, watchers.add(hear))
    this.#listening ??= this.#listen()
    if (this.#heard) hear()
    return () => {
      watchers.delete(hear)
      if (watchers.size === 0 && this.#watchers.get(key) === watchers) this.#watchers.delete(key)
    }
  }

  async close(): Promise<void> {
    if (this.#listening === undefined) return
    await this.#listening
    this.#stop()
    await this.#command('UNLISTEN').catch(() => {})
  }

  async #listen(): Promise<void> {
    const { client } = this.#options
    client.on('notification', this.#onNotification)
    client.on('end', this.#onEnd)
    try {
      await this.#command('LISTEN')
      this.#heard = true
      for (const key of this.#watchers.keys()) this.#tell(key)
    } catch {
      // Waiters have their timers; the next who comes tries again.
      this.#stop()
      this.#listening = undefined
    }
  }

  async #command(verb: 'LISTEN' | 'UNLISTEN'): Promise<void> {
    const { client, channel, clock, commandMs } = this.#options
    await ask(`${verb} for locks`, commandMs, clock, () => client.query(`${verb} "${channel}"`))
  }

  #stop(): void {
    const { client } = this.#options
    this.#heard = false
    client.removeListener('notification', this.#onNotification)
    client.removeListener('end', this.#onEnd)
  }

  readonly #onNotification = ({ channel, payload = '' }: { channel: string; payload?: string }) => {
    if (channel !== this.#options.channel) return
    const [turn = '', after = ''] = payload.split(' ', 2)
    this.#tell(payload.slice(turn.length + after.length + 2), turn, after)
  }

  readonly #onEnd = () => {
    this.#stop()
    this.#listening = Promise.resolve()
  }

  #tell(key: string, ...whose: Parameters<Listener>): void {
    const watchers = this.#watchers.get(key)
    if (watchers !== undefined) for (const hear of watchers) hear(...whose)
  }
}
