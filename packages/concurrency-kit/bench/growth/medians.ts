import { median } from '../rounds.ts'
import type { Row } from './results.ts'

type Figures = Record<string, number>

/** One point of a plot: at some size, figures that are measured anew in each round. */
export interface Point {
  readonly at: Row
  run(): Promise<Figures>
}

/** Every point once a round, and the median of each figure. */
export async function medians(points: readonly Point[], rounds: number): Promise<Row[]> {
  const measured = points.map((): Figures[] => [])
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, { at, run }] of points.entries()) {
      const figures = await run()
      measured[index]?.push(figures)
      console.log(`${round + 1}/${rounds}`, ...Object.values(at), JSON.stringify(figures))
    }
  }
  return points.map(({ at }, index) => {
    const own = measured[index] ?? []
    const names = Object.keys(own[0] ?? {})
    return {
      ...at,
      ...Object.fromEntries(names.map((name) => [name, median(own.map((each) => each[name] as number))])),
    }
  })
}
