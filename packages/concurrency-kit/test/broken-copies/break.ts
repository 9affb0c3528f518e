/** One change to the text of a file. */
export interface Change {
  readonly what: string
  /** As `test/…` and `src/…` of this package. @defaultValue 'concurrency-kit' */
  readonly package?: 'concurrency-kit' | 'demo-server'
  readonly file: string
  readonly find: string
  readonly replace: string
}

/** One fault to put into the code. */
export interface Break extends Change {
  /** The number in the list of known pitfalls, and in the names of the tests that must see it. */
  readonly pitfall: string
  /** The test file that must turn red, or the beginning of the paths of several. */
  readonly tests: string
  /** Whether each of several must, where it has a test of the number. @defaultValue one is enough */
  readonly everyFile?: boolean
}
