import { expect, test } from 'vitest'
import { runScript, Script } from '../../src/ioredis/script.ts'

test('L19: READONLY may be the answer to a command sent twice: only a client that never sends again knows that nothing was done', async () => {
  const script = new Script('return 1')
  const failing = (message: string, autoResendUnfulfilledCommands?: boolean) => {
    const fail = () => Promise.reject(new Error(message))
    const options = autoResendUnfulfilledCommands === undefined ? {} : { autoResendUnfulfilledCommands }
    return runScript({ isCluster: false, options, evalsha: fail, eval: fail }, 'it', script, ['k'], [])
  }
  const readonly = "READONLY You can't write against a read only replica."
  await expect(failing(readonly)).rejects.toMatchObject({ code: 'STORE_ERROR', transient: false })
  await expect(failing(readonly, false)).rejects.toMatchObject({ code: 'STORE_ERROR', transient: true })
  await expect(failing('CLUSTERDOWN Hash slot not served')).rejects.toMatchObject({ transient: true })
  await expect(failing('connection lost', false)).rejects.toMatchObject({ transient: false })
})
