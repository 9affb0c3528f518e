import type { BalanceLine, ChargeLine, HistoryLine } from './format.ts'
import { isDone, type Request } from './model.ts'

/** Has a read see what was there before a charge that was answered before it was sent; undefined where there is none. */
export function withStaleRead(lines: readonly HistoryLine[], which: number): HistoryLine[] | undefined {
  const charges = lines.filter((line): line is ChargeLine => line.kind === 'charge' && line.outcome === 'ok')
  const choices = lines.flatMap((line, index) =>
    line.kind === 'balance' && line.outcome === 'ok'
      ? charges
          .filter((each) => each.user === line.user && each.answered < line.invoked)
          .map((each) => [index, each] as const)
      : [],
  )
  const [index, charge] = choices[which % choices.length] ?? []
  if (index === undefined || charge === undefined) return undefined
  const balance = JSON.parse(charge.answer ?? '').balance - charge.amount
  return lines.with(index, { ...(lines[index] as BalanceLine), balance })
}

/** Has a charge done before one that was answered before it was sent; undefined where there is no such pair. */
export function withWrongOrder(requests: readonly Request[], which: number): Request[] | undefined {
  const keys = [...new Set(requests.map(({ key }) => key))].filter((key) => key !== undefined)
  const spans = keys.map((key) => {
    const sent = requests.filter((request) => request.key === key && request.fate !== 'refused')
    const heard = sent.filter(({ fate }) => fate === 'answered')
    return {
      user: sent[0]?.user,
      done: sent.find(isDone),
      invoked: Math.min(...sent.map(({ invoked }) => invoked)),
      answered: Math.min(...heard.map(({ answered }) => answered)),
    }
  })
  const pairs = spans.flatMap((first) =>
    spans
      .filter((second) => first.user === second.user && first.answered < second.invoked)
      .map((second) => [first, second]),
  )
  const [first, second] = pairs[which % pairs.length] ?? []
  if (first?.done === undefined || second?.done === undefined) return undefined
  const others = requests.filter((request) => request !== second.done)
  return others.toSpliced(others.indexOf(first.done), 0, second.done)
}
