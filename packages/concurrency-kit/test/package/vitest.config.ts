import { defineConfig } from 'vitest/config'

/** Packs, and installs from the registry: a command of its own, `test:package`. */
export default defineConfig({
  root: import.meta.dirname,
  test: { include: ['*.test.ts'], testTimeout: 120_000, hookTimeout: 300_000, fileParallelism: false },
})
