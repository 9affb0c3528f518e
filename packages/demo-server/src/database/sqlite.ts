import type { TransactionalIdempotencyStore } from 'concurrency-kit'
import { knexIdempotencyStore, knexVersionedStore } from 'concurrency-kit/knex'
import type { Knex } from 'knex'
import type { Switches } from '../config.ts'
import { type Account, type Accounts, apart, lastWriteWins, type UncheckedStatements } from './accounts.ts'
import type { Database } from './database.ts'
import { recordTable } from './records.ts'
import { openConnections, type SqliteConnections } from './sqlite-connections.ts'
import { prepareSchema } from './sqlite-schema.ts'

/** Opens the SQLite file, and makes it and its folder where they are missing. */
export async function openSqlite(
  file: string,
  { versionCheck }: Pick<Switches, 'versionCheck'>,
): Promise<Database<Knex.Transaction>> {
  const connections = await openConnections(file)
  return {
    records: openRecords(connections),
    accounts: openAccounts(connections, versionCheck),
    prepareSchema: (users) => prepareSchema(connections.writer, users),
    ready: async () => {
      await connections.reader.raw('SELECT 1 FROM users LIMIT 1')
    },
    close: () => connections.close(),
  }
}

/** The records of charges; looking one up uses the connection that waits for nothing. */
function openRecords({ writer, reader }: SqliteConnections): TransactionalIdempotencyStore<Knex.Transaction> {
  const written = knexIdempotencyStore({ knex: writer, ...recordTable })
  const read = knexIdempotencyStore({ knex: reader, ...recordTable })
  return {
    name: written.name,
    kind: 'transactional',
    find: (request) => read.find(request),
    attempt: (request, handler) => written.attempt(request, handler),
    purge: (request) => written.purge(request),
  }
}

function openAccounts({ writer, reader }: SqliteConnections, versionCheck: boolean): Accounts<Knex.Transaction> {
  const checked = knexVersionedStore<Account>({ knex: writer, table: 'users' })
  const alone = apart(versionCheck ? checked : lastWriteWins(unchecked(writer), false))
  return {
    within(transaction) {
      if (transaction === undefined) return alone
      return versionCheck ? checked.within(transaction) : lastWriteWins(unchecked(transaction), true)
    },
    async balanceOf(userId) {
      const rows: Pick<Account, 'balance'>[] = await reader.raw('SELECT balance FROM users WHERE id = ?', [userId])
      return rows[0]?.balance
    },
  }
}

function unchecked(client: Knex): UncheckedStatements {
  return {
    read: async (id) => (await client.raw('SELECT * FROM users WHERE id = ?', [id]))[0],
    write: async ({ id, balance, version }) => {
      await client.raw('UPDATE users SET balance = ?, version = ? WHERE id = ?', [balance, version, id])
    },
  }
}
