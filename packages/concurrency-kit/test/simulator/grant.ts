/** A grant whose answer has reached the process. */
export interface Grant {
  readonly key: string
  readonly holder: string
  readonly ttlMs: number
  readonly firstToken: bigint
  readonly tokens: number
  /** On the monotonic clock of the process. */
  readonly sentAtMs: number
  /** On true time. */
  readonly arrivedAtMs: number
  /** How many sections have begun under it. */
  sections: number
  readonly onLost: (cause: unknown) => void
  /** The process has given it back since, or was told that it is another's. */
  over: boolean
}
