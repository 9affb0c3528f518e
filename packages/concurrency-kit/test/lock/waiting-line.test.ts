import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Waiter } from '../../src/lock/waiter.ts'
import { WaitingLine } from '../../src/lock/waiting-line.ts'

const nobody = () => {}
const newWaiter = (waitMs: number) =>
  new Waiter({ ttlMs: 1, waitMs, signal: undefined, nested: false }, 0, nobody, nobody)

test('whoever comes and leaves, from wherever in the line and however often, the others stand in the order in which they came', () => {
  const comings = fc.constant('come' as const)
  const leavings = fc.record({ leaves: fc.nat(), twice: fc.boolean() })
  fc.assert(
    fc.property(fc.array(fc.oneof(comings, leavings), { maxLength: 60 }), (moves) => {
      const line = new WaitingLine()
      let expected: Waiter[] = []
      moves.forEach((move, index) => {
        if (move === 'come') {
          const waiter = newWaiter(index)
          line.add(waiter)
          expected.push(waiter)
        } else if (expected.length > 0) {
          const leaving = expected[move.leaves % expected.length] as Waiter
          line.delete(leaving)
          if (move.twice) line.delete(leaving)
          expected = expected.filter((waiter) => waiter !== leaving)
          expect(leaving).toMatchObject({ inLine: false, before: undefined, behind: undefined })
        }
        expect([...line]).toEqual(expected)
        expect(line.first).toBe(expected[0])
        expect(line.size).toBe(expected.length)
        expect(expected.every(({ inLine }) => inLine)).toBe(true)
      })
    }),
  )
})
