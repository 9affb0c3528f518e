import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { HistoryChecker, type Verdict } from './checker.ts'
import type { HistoryLine } from './format.ts'
import { fillable } from './gaps.ts'
import { historyOf, plan, requestsOf } from './model.ts'
import { withStaleRead, withWrongOrder } from './mutations.ts'
import { wrongServers } from './wrong-servers.ts'

const header: HistoryLine = { kind: 'history', version: 1, seed: 1, instances: 2, processes: 2, balances: { 1: 100 } }

/** A request of process 0 to instance 0 for user 1, from `invoked` to `answered`. */
const at = (invoked: number, answered: number) => ({ process: 0, instance: 0, user: 1, invoked, answered })
const receipt = (balance: number, chargedAmount: number) => JSON.stringify({ userId: 1, balance, chargedAmount })

function charged(key: string, amount: number, balance: number, [invoked, answered]: [number, number]): HistoryLine {
  const times = at(invoked, answered)
  return { kind: 'charge', ...times, key, amount, outcome: 'ok', answer: receipt(balance, amount) }
}

function lost(
  key: string,
  amount: number,
  [invoked, answered]: [number, number],
  outcome = 'unknown' as const,
): HistoryLine {
  return { kind: 'charge', ...at(invoked, answered), key, amount, outcome }
}

function read(balance: number, [invoked, answered]: [number, number]): HistoryLine {
  return { kind: 'balance', ...at(invoked, answered), outcome: 'ok', balance }
}

function judge(lines: readonly HistoryLine[]): Verdict {
  const checker = new HistoryChecker()
  for (const line of lines) checker.take(line)
  return checker.finish()
}

const found = (...lines: HistoryLine[]) => [...new Set(judge([header, ...lines]).violations.map(({ kind }) => kind))]

test('charges, replays and reads in an order that agrees with time are right', () => {
  expect(
    found(
      charged('a', 10, 110, [0, 10]),
      read(100, [5, 12]),
      charged('a', 10, 110, [20, 30]),
      charged('b', 5, 115, [20, 40]),
      read(110, [15, 40]),
      read(115, [20, 41]),
    ),
  ).toEqual([])
})

test('the history in the document is right', () => {
  const text = readFileSync(new URL('../../../../docs/history.md', import.meta.url), 'utf8')
  const [, example = ''] = /```json\n([^`]+)\n```/.exec(text) ?? []
  const { violations, keys } = judge(example.split('\n').map((line) => JSON.parse(line)))
  expect([violations, keys]).toEqual([[], 2])
})

test('a history without its header is none', () => {
  expect(() => judge([read(1, [0, 1])])).toThrow('begins with its header')
})

test('two charges from one balance are a lost update', () => {
  expect(found(charged('a', 10, 110, [0, 10]), charged('b', 20, 120, [0, 10]))).toEqual(['lost update'])
  expect(found(charged('a', 10, 105, [0, 10]))).toContain('lost update')
})

test('a key with two answers, also where they differ by one byte, and a key for two amounts', () => {
  const again = { ...charged('a', 10, 110, [20, 30]), answer: `${receipt(110, 10)} ` } as HistoryLine
  expect(found(charged('a', 10, 110, [0, 10]), again)).toEqual(['two answers'])
  const other = { ...charged('a', 11, 110, [20, 30]), answer: receipt(110, 10) } as HistoryLine
  expect(found(charged('a', 10, 110, [0, 10]), other)).toEqual(['wrong answer'])
  expect(found(charged('a', 10, 110, [0, 10]), charged('a', 11, 121, [20, 30]))).toEqual(['two answers'])
})

test('an answer to another charge than was asked for, or none at all', () => {
  const answers = [JSON.stringify({ userId: 2, balance: 110, chargedAmount: 10 }), receipt(110, 9), 'null', 'no JSON']
  for (const answer of answers) {
    expect(found({ ...charged('a', 10, 110, [0, 10]), answer } as HistoryLine)).toContain('wrong answer')
  }
})

test('money that no charge explains, between charges and at the end', () => {
  expect(found(charged('a', 10, 120, [0, 10]))).toEqual(['unexplained money'])
  expect(found(charged('a', 10, 110, [0, 10]), read(120, [20, 30]))).toEqual(['unexplained money'])
  const end: HistoryLine = { kind: 'end', invoked: 40, answered: 40, balances: { 1: 120 } }
  expect(found(charged('a', 10, 110, [0, 10]), end)).toEqual(['unexplained money', 'wrong sum'])
})

test('a balance that never was', () => {
  expect(found(charged('a', 10, 110, [0, 10]), read(105, [0, 10]))).toEqual(['no such balance'])
  expect(found(read(99, [0, 10]))).toEqual(['no such balance'])
})

test('a read that is stale, or of what was not asked for yet', () => {
  expect(found(charged('a', 10, 110, [0, 10]), read(100, [11, 20]))).toEqual(['order in time'])
  expect(found(charged('a', 10, 110, [0, 10]), read(100, [10, 20]))).toEqual([])
  expect(found(read(110, [0, 10]), charged('a', 10, 110, [11, 20]))).toEqual(['order in time'])
})

test('two reads that see two charges one after the other, and then only the first', () => {
  const charges = [charged('a', 10, 110, [0, 100]), charged('b', 5, 115, [0, 100])]
  expect(found(...charges, read(115, [10, 20]), read(110, [21, 30]))).toEqual(['order in time'])
  expect(found(...charges, read(115, [10, 20]), read(110, [15, 30]))).toEqual([])
})

test('charges one after the other whose balances say otherwise', () => {
  expect(found(charged('a', 10, 115, [0, 10]), charged('b', 5, 105, [11, 20]))).toEqual(['order in time'])
  expect(found(charged('a', 10, 115, [0, 10]), charged('b', 5, 105, [9, 20]))).toEqual([])
})

test("a charge counts from its key's first request to its first answer, not from its replay", () => {
  const late = [charged('b', 5, 115, [60, 70]), charged('a', 10, 110, [80, 90])]
  expect(found(lost('a', 10, [0, 10]), ...late)).toEqual([])
  expect(found(lost('a', 10, [75, 76]), ...late)).toEqual(['order in time'])
  // The first answer is the limit, however late it is repeated.
  expect(found(charged('a', 10, 110, [0, 10]), read(100, [20, 30]), charged('a', 10, 110, [40, 50]))).toEqual([
    'order in time',
  ])
})

test('the order of the lines says nothing, their times do', () => {
  const repeated = charged('a', 10, 110, [30, 40])
  expect(found(read(110, [5, 10]), repeated)).toEqual(['order in time'])
  expect(found(read(110, [5, 10]), repeated, lost('a', 10, [0, 100]))).toEqual([])
  expect(found(charged('a', 10, 110, [20, 30]), read(110, [0, 50]), read(110, [0, 10]))).toEqual(['order in time'])
})

test('a request that surely did nothing does not explain money, and does not open the time of its key', () => {
  const refused: HistoryLine = { ...lost('a', 10, [0, 5]), outcome: 'fail' } as HistoryLine
  expect(found(refused, read(110, [10, 20]))).toEqual(['unexplained money'])
  expect(found(refused, read(110, [10, 20]), charged('a', 10, 110, [30, 40]))).toEqual(['order in time'])
})

test('a charge of unknown outcome fills a step, or not, once, and not before it was sent', () => {
  const open = [lost('x', 7, [0, 5]), lost('y', 3, [50, 55])]
  expect(found(...open, charged('a', 10, 117, [10, 20]))).toEqual([])
  expect(found(...open, charged('a', 10, 110, [10, 20]))).toEqual([])
  expect(found(...open, charged('a', 10, 120, [10, 60]))).toEqual([])
  expect(found(...open, charged('a', 10, 120, [10, 20]))).toEqual(['unexplained money'])
  expect(found(...open, charged('a', 10, 117, [10, 20]), read(124, [30, 40]))).toEqual(['unexplained money'])
  expect(judge([header, ...open]).open).toBe(2)
})

test('a key that was sent for two amounts fills one step', () => {
  const open = [lost('x', 7, [0, 5]), lost('x', 3, [0, 5])]
  expect(found(...open, read(103, [10, 20]))).toEqual([])
  expect(found(...open, read(103, [10, 20]), read(110, [30, 40]))).toEqual(['unexplained money'])
})

test('too many charges of unknown outcome leave a user undecided, and do not take for ever', () => {
  const charges = Array.from({ length: 40 }, (_, index) => ({ key: `${index}`, amount: 2, invoked: 0 }))
  expect(fillable([{ amount: 41, latest: 1 }], charges)).toBe('undecided')
})

test('the history of any server that does one thing at a time is right', () => {
  fc.assert(
    fc.property(plan, (planned) => {
      const { violations, undecided } = judge(historyOf(requestsOf(planned)))
      expect([violations, undecided]).toEqual([[], []])
    }),
    { numRuns: 2_000 },
  )
})

const settledPlan = plan.map((planned) => ({ ...planned, settled: true }))

test.each(Object.entries(wrongServers))('%s is found in any history', (_, WrongServer) => {
  let wrong = 0
  fc.assert(
    fc.property(settledPlan, fc.nat(5), (planned, chances) => {
      const server = new WrongServer(chances)
      const { violations } = judge(historyOf(requestsOf(planned), server))
      if (server.wentWrong) wrong += 1
      expect(violations.length > 0).toBe(server.wentWrong)
    }),
    { numRuns: 1_000 },
  )
  expect(wrong).toBeGreaterThan(200)
})

test('a stale read is found in any history', () => {
  fc.assert(
    fc.property(settledPlan, fc.nat(), (planned, which) => {
      const lines = withStaleRead(historyOf(requestsOf(planned)), which)
      fc.pre(lines !== undefined)
      expect(judge(lines).violations.map(({ kind }) => kind)).toContain('order in time')
    }),
    { numRuns: 1_000 },
  )
})

test('charges done in another order than time has them are found in any history', () => {
  fc.assert(
    fc.property(settledPlan, fc.nat(), (planned, which) => {
      const requests = withWrongOrder(requestsOf(planned), which)
      fc.pre(requests !== undefined)
      expect(judge(historyOf(requests)).violations.map(({ kind }) => kind)).toContain('order in time')
    }),
    { numRuns: 1_000 },
  )
})
