/** Something that happens at one moment of the simulated world. */
export interface SimulatedEvent {
  atMs: number
  /** Among those of one moment, first in, first out. */
  readonly order: number
  readonly run: () => void
  /** Events of one group that follow closely may run as one, as two replies in one packet do. */
  readonly group: object | undefined
  cancelled: boolean
}

/** A binary heap of what is to come, the next on top. */
export class EventQueue {
  readonly #heap: SimulatedEvent[] = []

  add(event: SimulatedEvent): void {
    this.#heap.push(event)
    this.#rise(this.#heap.length - 1)
  }

  /** The next event, which stays in the queue. */
  peek(): SimulatedEvent | undefined {
    while (this.#heap[0]?.cancelled) this.#takeTop()
    return this.#heap[0]
  }

  take(): SimulatedEvent | undefined {
    return this.peek() && this.#takeTop()
  }

  /** To be called after times of events were changed. */
  sort(): void {
    this.#heap.sort((a, b) => (isBefore(a, b) ? -1 : 1))
  }

  #takeTop(): SimulatedEvent | undefined {
    const top = this.#heap[0]
    const last = this.#heap.pop()
    if (last !== undefined && this.#heap.length > 0) {
      this.#heap[0] = last
      this.#sink(0)
    }
    return top
  }

  #rise(start: number): void {
    let index = start
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!this.#swapUnlessBefore(parent, index)) return
      index = parent
    }
  }

  #sink(start: number): void {
    let index = start
    for (;;) {
      const left = 2 * index + 1
      if (left >= this.#heap.length) return
      const [a, b] = [this.#heap[left] as SimulatedEvent, this.#heap[left + 1]]
      const child = b !== undefined && isBefore(b, a) ? left + 1 : left
      if (!this.#swapUnlessBefore(index, child)) return
      index = child
    }
  }

  #swapUnlessBefore(parent: number, child: number): boolean {
    const [above, below] = [this.#heap[parent] as SimulatedEvent, this.#heap[child] as SimulatedEvent]
    if (isBefore(above, below)) return false
    this.#heap[parent] = below
    this.#heap[child] = above
    return true
  }
}

function isBefore(a: SimulatedEvent, b: SimulatedEvent): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}
