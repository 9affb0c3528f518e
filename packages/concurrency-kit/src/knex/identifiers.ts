import { doubleQuotes, type Quote } from '../sql/names.ts'
import type { KnexClient } from './knex-client.ts'

/** How `knex` quotes a name: with the `wrapIdentifier` of its configuration, if there is one. */
export function quoteOf({ client }: KnexClient): Quote {
  if (typeof client.config?.wrapIdentifier !== 'function') return doubleQuotes
  return (name) => client.wrapIdentifier(name)
}
