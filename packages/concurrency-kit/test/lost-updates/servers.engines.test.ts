import { onRedisAndPostgres, postgresDatabase, sharedRedis } from '../support/engines.ts'
import { placesOn } from './places.ts'
import { proveNoLostUpdate } from './prove.ts'

onRedisAndPostgres.describe('processes count one row up on servers', () => {
  for (const index of placesOn('', '').keys()) {
    const name = placesOn('', '')[index]?.name
    onRedisAndPostgres.test(
      `S8, C5: ${name}: the sum is exact, and with the row lock nobody waits much longer than is fair`,
      async () => {
        const { url, drop } = await postgresDatabase()
        try {
          await proveNoLostUpdate(placesOn(sharedRedis(), url)[index] as never)
        } finally {
          await drop()
        }
      },
      60_000,
    )
  }
})
