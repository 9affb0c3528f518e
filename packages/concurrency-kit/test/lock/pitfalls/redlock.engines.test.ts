import { afterAll, beforeAll } from 'vitest'
import { redlockLockStore } from '../../../src/entries/redlock.ts'
import { onDocker } from '../../support/engines.ts'
import { type Quorum, startQuorum } from '../../support/quorum.ts'
import { redlock5 } from '../../support/redlock.ts'
import { provePitfalls } from './prove.ts'

onDocker.describe('on three nodes', () => {
  let quorum: Quorum
  beforeAll(async () => {
    quorum = await startQuorum(3)
  })
  afterAll(() => quorum.stop())

  provePitfalls(onDocker, 'redlock', async (environment) => {
    const { nodes, close } = await quorum.connect()
    return { store: redlockLockStore({ redlock: redlock5(nodes), ...(environment && { environment }) }), close }
  })
})
