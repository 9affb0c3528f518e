const undos = new Set<() => void>()

process.once('exit', () => {
  for (const undo of undos) undo()
})
for (const [signal, number] of [
  ['SIGHUP', 1],
  ['SIGINT', 2],
  ['SIGTERM', 15],
] as const) {
  process.once(signal, () => process.exit(128 + number))
}

/** Has `undo` run (synchronously) when this process ends, however it ends; the returned function calls that off. */
export function onExit(undo: () => void): () => void {
  undos.add(undo)
  return () => undos.delete(undo)
}
