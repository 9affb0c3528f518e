/** What a lock alone cannot keep right when its store forgets: a value that is written by version, and by token where there is one. */
export interface Register {
  read(): Promise<number>
  /** Whether it was written: not when somebody wrote since `expected` was read, nor with a token that is out of date. */
  write(expected: number, token: bigint | undefined): Promise<boolean>
}

export class MemoryRegister implements Register {
  #value = 0
  #lastToken = -1n

  async read(): Promise<number> {
    return this.#value
  }

  async write(expected: number, token: bigint | undefined): Promise<boolean> {
    if (this.#value !== expected) return false
    if (token !== undefined && token < this.#lastToken) return false
    this.#lastToken = token ?? this.#lastToken
    this.#value = expected + 1
    return true
  }
}
