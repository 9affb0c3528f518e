import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { expect } from 'vitest'
import { isStoreError } from '../../src/errors.ts'
import { runScript, Script } from '../../src/ioredis/script.ts'
import { onRedis, sharedRedis } from '../support/engines.ts'

/** Unknown to every server. */
const unknownScript = () => new Script(`--[[${randomUUID()}]] return { KEYS[1], ARGV[1] }`)

onRedis.describe('a script', () => {
  onRedis.test('L9: is sent by its text where it is not known, also in a pipeline that ioredis makes', async () => {
    for (const enableAutoPipelining of [false, true]) {
      const client = new Redis(sharedRedis(), { enableAutoPipelining })
      const script = unknownScript()
      const answers = await Promise.all(['a', 'b', 'c'].map((key) => runScript(client, 'test', script, [key], [1])))
      expect(answers).toEqual([
        ['a', '1'],
        ['b', '1'],
        ['c', '1'],
      ])
      expect(await client.evalsha(script.sha1, 1, 'd', '2')).toEqual(['d', '2'])
      client.disconnect()
    }
  })

  onRedis.test(
    'L19: that the server refuses is a StoreError, transient only where it certainly did nothing',
    async () => {
      const refusal = async (message: string, autoResendUnfulfilledCommands = true) => {
        const client = new Redis(sharedRedis(), { autoResendUnfulfilledCommands })
        const script = new Script(`return redis.error_reply('${message}')`)
        const error = await runScript(client, 'test', script, [], []).catch((caught: unknown) => caught)
        client.disconnect()
        return isStoreError(error) ? error.transient : error
      }
      expect(await refusal('CLUSTERDOWN The cluster is down')).toBe(true)
      expect(await refusal('WRONGTYPE Operation against a key', false)).toBe(false)
      // It may be the answer to the second of two, after a reconnect to a server that was demoted meanwhile.
      const demoted = "READONLY You can\\'t write against a read only replica."
      expect(await refusal(demoted)).toBe(false)
      expect(await refusal(demoted, false)).toBe(true)
    },
  )
})
