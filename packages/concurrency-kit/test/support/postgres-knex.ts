import createKnex, { type Knex } from 'knex'

/** A Knex instance with a pool of its own, as another process has it. */
export function knexOn(connectionString: string, options: { max?: number; applicationName?: string } = {}): Knex {
  const { max = 5, applicationName } = options
  const connection = {
    connectionString,
    connectionTimeoutMillis: 500,
    ...(applicationName && { application_name: applicationName }),
  }
  return createKnex({
    client: 'pg',
    connection,
    pool: { min: 0, max },
    // Tests cut connections on purpose.
    log: { warn: () => {} },
  })
}
