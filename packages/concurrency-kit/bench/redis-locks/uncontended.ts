import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { inRounds, print } from '../rounds.ts'
import { type WayName, ways } from './ways.ts'

const SECTIONS = 2_000

/** One caller and nobody else: each way beside the two commands that it cannot do without. */
export async function uncontended(redisUrl: string, rounds: number): Promise<void> {
  const raw: WayName = 'raw SET NX PX'
  const names = [raw, ...(Object.keys(ways) as WayName[]).filter((name) => name !== raw)]
  const clients = names.map(() => new Redis(redisUrl))
  for (const distinctKeys of [false, true]) {
    const contenders = names.map((name, index) => {
      const way = ways[name](clients[index] as Redis)
      const prefix = `bench:${randomUUID()}`
      let next = 0
      const run = async (count: number) => {
        for (let done = 0; done < count; done += 1) {
          next += 1
          await way.exclusive(distinctKeys ? `${prefix}:${next}` : prefix, async () => {})
        }
      }
      return { name, run }
    })
    const keys = distinctKeys ? 'another key each time' : 'the same key'
    // Short rounds, and many: on a shared machine one is slow now and then.
    const measured = await inRounds(contenders, rounds * 4, SECTIONS)
    print(`uncontended: 1 caller, ${keys}, empty section, on Redis`, 'sections/s', measured)
  }
  for (const client of clients) client.disconnect()
}
