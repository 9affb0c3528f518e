/** Runs what was opened backwards. */
export class Closing {
  readonly #steps: (() => unknown)[] = []
  add<Opened>(opened: Opened, close: (opened: Opened) => unknown): Opened {
    this.#steps.push(() => close(opened))
    return opened
  }
  async run(): Promise<void> {
    for (const step of this.#steps.reverse()) await step()
  }
}
