import { doubleQuotes, type Quote } from '../sql/names.ts'
import type { KnexClient } from './knex-client.ts'

/** How `knex` writes a name: through the `wrapIdentifier` of its configuration, where it has one. */
export function quoteOf({ client }: KnexClient): Quote {
  if (typeof client.config?.wrapIdentifier !== 'function') return doubleQuotes
  return (name) => client.wrapIdentifier(name)
}
