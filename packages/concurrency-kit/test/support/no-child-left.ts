import { afterAll } from 'vitest'
import { endChildren } from './children.ts'

// Set up first, and so run last: after the file's own hooks have ended what they started.
afterAll(async () => {
  const left = await endChildren()
  if (left.length > 0) throw new Error(`the tests of this file left processes behind: ${left.join('; ')}`)
})
