import { shown } from '../options.ts'

/** A name from the options, quoted; anything but a plain identifier is refused. */
export function quoted(option: string, name: unknown): string {
  if (typeof name !== 'string' || !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    throw new TypeError(`${option} must be a plain SQL name, but is ${shown(name)}`)
  }
  return `"${name}"`
}
