import { defineConfig } from 'vitest/config'

const conditions = ['concurrency-kit-source']

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'examples/**/*.test.ts'],
    // Installs from the registry: a command of its own.
    exclude: ['**/node_modules/**', '**/test/package/**'],
    testTimeout: 30_000,
  },
})
