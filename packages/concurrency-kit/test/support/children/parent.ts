// Starts a child that never waits, one that is stopped and one with a child of its own, prints their pids, and waits.
import { spawn } from '../children.ts'

const WAIT = 'setInterval(() => {}, 1000)'

const busy = spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' })
const stopped = spawn(process.execPath, ['-e', WAIT], { stdio: 'ignore' })
stopped.kill('SIGSTOP')
const family = `const { pid } = require('node:child_process').spawn(process.execPath, ['-e', '${WAIT}'], { stdio: 'ignore' })
console.log(pid)
${WAIT}`
const head = spawn(process.execPath, ['-e', family], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] })
head.stdout.once('data', (grandchild) => {
  console.log([busy.pid, stopped.pid, head.pid, Number(String(grandchild))].join(' '))
})
setInterval(() => {}, 1_000)
