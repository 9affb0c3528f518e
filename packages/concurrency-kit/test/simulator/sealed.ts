import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'

/** What the engine must not read of the system while it is simulated: its time and its chance are the world's. */
const FORBIDDEN = [
  [globalThis, 'setTimeout'],
  [globalThis, 'setInterval'],
  [globalThis, 'setImmediate'],
  [Date, 'now'],
  [performance, 'now'],
  [Math, 'random'],
] as const

let uuid: (() => string) | undefined
const { randomUUID } = crypto
crypto.randomUUID = ((...options) => (uuid ?? (() => randomUUID(...options)))()) as typeof randomUUID
// What has imported it by name sees the replacement too.
syncBuiltinESMExports()

/**
 * Runs `run` where names are drawn from it and the system's time and chance throw.
 *
 * `run` waits for promises and ticks alone, so no other code of this process runs meanwhile.
 */
export async function sealed<Result>(run: () => Promise<Result>): Promise<Result> {
  const intact = FORBIDDEN.map(([owner, name]) => [owner, name, Reflect.get(owner, name)] as const)
  let uuids = 0
  uuid = () => {
    uuids += 1
    return `u${uuids}`
  }
  for (const [owner, name] of FORBIDDEN) {
    Reflect.set(owner, name, () => {
      throw new Error(`${name} is not the simulator’s`)
    })
  }
  try {
    return await run()
  } finally {
    for (const [owner, name, original] of intact) Reflect.set(owner, name, original)
    uuid = undefined
  }
}
