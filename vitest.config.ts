import { defineConfig } from 'vitest/config'

const conditions = ['concurrency-kit-source']

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    testTimeout: 30_000,
    setupFiles: ['packages/concurrency-kit/test/support/no-child-left.ts'],
    // Most of them wait: for leases to expire, for servers to start.
    maxWorkers: '100%',
    // Installs from the registry: a command of its own.
    exclude: ['**/node_modules/**', '**/test/package/**'],
    projects: [
      {
        extends: true,
        test: {
          name: 'embedded',
          include: ['packages/*/test/**/*.test.ts', 'examples/**/*.test.ts'],
          exclude: ['**/*.engines.test.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'engines',
          include: ['packages/*/test/**/*.engines.test.ts'],
          globalSetup: 'packages/concurrency-kit/test/support/engines-setup.ts',
        },
      },
    ],
  },
})
