import { afterAll, expect } from 'vitest'
import { Closing } from '../faults/arenas/closing.ts'
import { onDocker } from '../support/engines.ts'
import { EVENTS, holds } from './events.ts'
import { lose, type Place } from './lose.ts'
import { openPlace } from './places.ts'

const closing = new Closing()
const places = new Map<string, Promise<Place | undefined>>()

onDocker.describe('losing a lease, in real processes', () => {
  afterAll(() => closing.run())

  for (const store of ['ioredis', 'knex on Postgres'] as const) {
    for (const event of EVENTS) {
      const number = event.name === 'suspend' ? 'L25' : 'L14'
      onDocker.test(`${number}: ${store}: ${event.title}`, { timeout: 60_000 }, async ({ skip }) => {
        const stepped = event.stepMs !== undefined
        // A clock is one event's own.
        const id = `${store} ${stepped ? event.name : ''}`
        const opening = places.get(id) ?? openPlace(store, stepped, closing)
        places.set(id, opening)
        const place = await opening
        if (place === undefined) return skip('no libfaketime, or no local server')
        const lost = await lose(place, event.name, event.stepMs)
        expect(lost, JSON.stringify(lost)).toSatisfy(() => holds(event, store, lost))
      })
    }
  }
})
