/** What the kit uses of an `AbortSignal`, for programs compiled without the DOM and Node typings. */
export interface AbortSignalLike {
  readonly aborted: boolean
  readonly reason: unknown
  throwIfAborted(): void
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void
  removeEventListener(type: 'abort', listener: () => void): void
}

/** The platform's `AbortSignal`, or its shape where the platform's typings are not loaded. */
export type Signal = typeof globalThis extends { AbortSignal: { prototype: infer Platform } }
  ? Platform
  : AbortSignalLike

/**
 * Calls `onAbort` when `signal` aborts; returns the function that stops listening.
 *
 * An already aborted signal is the caller's to check: it never calls back.
 */
export function listen(signal: Signal | undefined, onAbort: () => void): () => void {
  if (signal === undefined) return () => {}
  signal.addEventListener('abort', onAbort, { once: true })
  return () => signal.removeEventListener('abort', onAbort)
}
