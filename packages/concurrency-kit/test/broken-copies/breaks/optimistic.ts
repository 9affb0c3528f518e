import type { Break } from '../break.ts'

export const optimisticBreaks: readonly Break[] = []
