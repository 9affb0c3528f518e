/** One way to do the same thing; `run` does it `count` times. */
export interface Contender {
  readonly name: string
  run(count: number): Promise<void>
}

export interface Measured {
  readonly name: string
  /** Median over the rounds. */
  readonly perSecond: number
  /** Median of the ratios to the first contender, each within one round. */
  readonly ratio: number
}

/** Every contender once a round, each round beginning with another of them; one round before that is not counted. */
export async function inRounds(contenders: readonly Contender[], rounds: number, count: number): Promise<Measured[]> {
  const rates = contenders.map((): number[] => [])
  for (let round = 0; round <= rounds; round += 1) {
    for (let turn = 0; turn < contenders.length; turn += 1) {
      const index = (round + turn) % contenders.length
      const startedAtMs = performance.now()
      await contenders[index]?.run(count)
      const perSecond = (count / (performance.now() - startedAtMs)) * 1_000
      if (round > 0) rates[index]?.push(perSecond)
    }
  }
  const [first = []] = rates
  return contenders.map(({ name }, index) => {
    const own = rates[index] ?? []
    return {
      name,
      perSecond: median(own),
      ratio: median(own.map((rate, round) => rate / (first[round] ?? Number.NaN))),
    }
  })
}

export function print(title: string, unit: string, measured: readonly Measured[]): void {
  console.log(`\n${title}`)
  for (const { name, perSecond, ratio } of measured) {
    console.log(
      `${name.padEnd(34)} ${Math.round(perSecond).toLocaleString('en-US').padStart(12)} ${unit}  × ${ratio.toFixed(3)}`,
    )
  }
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** The value that the share `q` of `values` stays below. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN
}
