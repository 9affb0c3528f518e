import { sqlite } from '../sql/sqlite.ts'

export { whileBusy } from '../sql/while-busy.ts'
export const NOW_MS = sqlite.nowMs
export const INTEGER = sqlite.integer
