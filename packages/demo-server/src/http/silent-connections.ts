import type { Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Returns a function that hangs up on every connection without a request that runs, now and from now on.
 *
 * A closing Node.js server waits for those that have never sent a whole request; `latest` is the answer to the last one.
 */
export function silentConnections(server: Server, latest: WeakMap<Socket, ServerResponse>): () => void {
  const open = new Set<Socket>()
  let closing = false
  server.on('connection', (socket) => {
    if (closing) return socket.destroy()
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  return () => {
    closing = true
    for (const socket of open) if (latest.get(socket)?.writableFinished ?? true) socket.destroy()
  }
}
