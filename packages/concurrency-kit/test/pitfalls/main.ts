/** Writes the names of the tests into docs/pitfalls.md: `npx -y pnpm@10 -F concurrency-kit pitfalls`. */
import { readFileSync, writeFileSync } from 'node:fs'
import { withTests } from './document.ts'
import { numberedTests } from './numbered-tests.ts'
import { DOCUMENT } from './where.ts'

writeFileSync(DOCUMENT, withTests(readFileSync(DOCUMENT, 'utf8'), numberedTests()))
