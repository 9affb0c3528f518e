// Reads `+pid` and `-pid` from its parent, and kills those that are left, with their process groups, when the parent is gone.
import { createInterface } from 'node:readline'

const pids = new Set<number>()

createInterface(process.stdin)
  .on('line', (line) => {
    const pid = Number(line.slice(1))
    if (line.startsWith('+')) pids.add(pid)
    else pids.delete(pid)
  })
  .on('close', () => {
    for (const pid of pids) for (const target of [-pid, pid]) kill(target)
  })

function kill(target: number): void {
  try {
    process.kill(target, 'SIGKILL')
  } catch {
    // It is gone, or is no group.
  }
}
