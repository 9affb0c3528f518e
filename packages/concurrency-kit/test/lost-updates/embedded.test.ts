import { describe, test } from 'vitest'
import { embeddedPlaces } from './places.ts'
import { proveNoLostUpdate } from './prove.ts'

describe('processes count one row up', () => {
  for (const place of embeddedPlaces) {
    test(`S8, C5: ${place.name}: the sum is exact, and with the row lock nobody waits much longer than is fair`, () =>
      proveNoLostUpdate(place))
  }
})
