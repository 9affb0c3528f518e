import path from 'node:path'

export const DOCUMENT = path.resolve(import.meta.dirname, '../../../../docs/pitfalls.md')
