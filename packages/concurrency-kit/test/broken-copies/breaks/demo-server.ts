import type { Break } from '../break.ts'

export const demoServerBreaks: readonly Break[] = []
