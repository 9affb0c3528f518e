import { randomUUID } from 'node:crypto'

export function freshKey(): string {
  return `faults:${randomUUID()}`
}
