import { test } from 'vitest'
import { spawn } from '../children.ts'

test('hangs, and so never ends what it started', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
  console.log(`started ${child.pid}`)
  try {
    await new Promise(() => {})
  } finally {
    child.kill()
  }
}, 200)
