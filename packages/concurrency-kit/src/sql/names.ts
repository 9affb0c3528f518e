import { shown } from '../options.ts'

/** Postgres cuts longer ones. */
const MOST_CHARACTERS = 63

/** A name from the options, quoted; anything but a plain identifier is refused. */
export function quoted(option: string, name: unknown): string {
  if (typeof name !== 'string' || name.length > MOST_CHARACTERS || !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    throw new TypeError(
      `${option} must be a plain SQL name of at most ${MOST_CHARACTERS} characters, but is ${shown(name)}`,
    )
  }
  return `"${name}"`
}
