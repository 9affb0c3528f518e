/** Lease, in ms; renewed at a third of it. */
export const TTL_MS = 600
export const COMMAND_MS = 400
/**
 * A store that forgets may let two overlap until the older holder has asked again, and has had its answer or the command's
 * deadline: a third of the lease each; and some ms for timers that fire late.
 */
export const MOST_OVERLAP_MS = TTL_MS / 3 + TTL_MS / 3 + 50

/** Milliseconds on a clock that all processes of a machine share. */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
