import type { Tally } from './matrix.ts'

export const HEADER = [
  '| store | isolation, or onAmbiguous | what happens | runs | violations | ambiguous commits settled | longest recovery |',
  '| ----- | -------------------------- | ------------ | ---: | ---------: | ------------------------: | ---------------: |',
].join('\n')

/** A row of the table in Markdown. */
export function row({ store, setting, kind, runs, violations, settled, longestMs }: Tally): string {
  return `| ${[store, setting, kind, runs, violations.length, settled, `${Math.ceil(longestMs)} ms`].join(' | ')} |`
}
