/** What a contract suite needs of a test runner: Vitest, Jest and `node:test` all have it. */
export interface ContractRunner {
  describe(name: string, body: () => void): void
  test(name: string, body: () => Promise<void>): void
}
