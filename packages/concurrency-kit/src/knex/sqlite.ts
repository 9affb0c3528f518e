import { sqlite } from '../sql/sqlite.ts'

export { whileBusy } from '../sql/while-busy.ts'
export const NOW_MS = sqlite.nowMs
export const NOW_TEXT = sqlite.now
export const LATER_TEXT = sqlite.later
export const INTEGER = sqlite.integer
export const secondsFromNow = sqlite.laterBy
