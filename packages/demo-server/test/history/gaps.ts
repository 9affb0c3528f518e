/** A step of a balance that no answered charge explains. */
export interface Gap {
  readonly amount: number
  /** What fills it was invoked by then, in µs. */
  readonly latest: number
}

/** A charge of which nobody knows whether it was done. */
export interface OpenCharge {
  readonly key: string
  readonly amount: number
  readonly invoked: number
}

const MOST_STEPS = 1_000_000

/** Whether `gaps` can be filled, each to the won, with `charges`, of each key one at most. A search, given up in the end. */
export function fillable(
  gaps: readonly Gap[],
  charges: readonly OpenCharge[],
  mostSteps = MOST_STEPS,
): 'yes' | 'no' | 'undecided' {
  const used = new Set<string>()
  let steps = 0
  const fill = (number: number, missing: number, from: number): boolean => {
    const gap = gaps[number]
    if (gap === undefined) return true
    if (missing === 0) return fill(number + 1, gaps[number + 1]?.amount ?? 0, 0)
    for (let index = from; index < charges.length; index += 1) {
      const { key, amount, invoked } = charges[index] as OpenCharge
      if (amount > missing || invoked > gap.latest || used.has(key)) continue
      steps += 1
      if (steps > mostSteps) return false
      used.add(key)
      if (fill(number, missing - amount, index + 1)) return true
      used.delete(key)
    }
    return false
  }
  if (fill(0, gaps[0]?.amount ?? 0, 0)) return 'yes'
  return steps > mostSteps ? 'undecided' : 'no'
}
