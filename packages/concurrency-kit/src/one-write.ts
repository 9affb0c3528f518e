/** A stream that can gather what is written to it. */
export interface Gathering {
  cork(): void
  uncork(): void
}

const gathering = new WeakSet<Gathering>()

/**
 * Lets what is written to `stream` in this turn of the event loop leave in one piece.
 *
 * A system call each costs more than the commands: those of callers whose replies arrived together, and who all write
 * next, or the statements of one message.
 */
export function inOneWrite(stream: Gathering | undefined): void {
  if (stream === undefined || gathering.has(stream)) return
  gathering.add(stream)
  stream.cork()
  process.nextTick(() => {
    gathering.delete(stream)
    stream.uncork()
  })
}
