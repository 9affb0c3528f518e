import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: { root: import.meta.dirname, include: ['hanging.fixture.ts'], setupFiles: ['../no-child-left.ts'] },
})
