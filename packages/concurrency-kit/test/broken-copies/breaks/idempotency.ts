import type { Break } from '../break.ts'

export const idempotencyBreaks: readonly Break[] = []
