import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { mutations } from '../simulator/mutations.ts'
import { breaks } from './breaks.ts'
import { workspace } from './copy.ts'

test('every fault that is to be put into the code finds its place there, once the code has changed too', () => {
  const lost = [...breaks, ...mutations].filter(({ package: name = 'concurrency-kit', file, find }) => {
    return !readFileSync(path.join(workspace, 'packages', name, file), 'utf8').includes(find)
  })
  expect(lost.map(({ file, find }) => `${file}: ${find}`)).toEqual([])
})
