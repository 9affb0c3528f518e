import { expect, test } from 'vitest'
import { Closing } from '../faults/arenas/closing.ts'
import { EVENTS, holds } from './events.ts'
import { lose } from './lose.ts'
import { openPlace } from './places.ts'

for (const event of EVENTS) {
  const number = event.name === 'suspend' ? 'L25' : 'L14'
  test(`${number}: knex on SQLite: ${event.title}`, { timeout: 60_000 }, async ({ skip }) => {
    const closing = new Closing()
    try {
      const place = await openPlace('knex on SQLite', event.stepMs !== undefined, closing)
      if (place === undefined) return skip('no libfaketime')
      const lost = await lose(place, event.name, event.stepMs)
      expect(lost, JSON.stringify(lost)).toSatisfy(() => holds(event, 'knex on SQLite', lost))
    } finally {
      await closing.run()
    }
  })
}
