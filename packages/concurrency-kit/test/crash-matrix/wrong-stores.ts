/** Stores that are wrong in ways that are common, for the proof that the matrix sees it. */
import type pg from 'pg'
import type {
  AttemptRequest,
  AttemptResult,
  CompletedRecord,
  FindRequest,
  Settlement,
  TransactionalIdempotencyStore,
} from '../../src/idempotency/idempotency-store.ts'

type WrongStore = (pool: pg.Pool) => TransactionalIdempotencyStore<pg.PoolClient>
type Handler = (transaction: pg.PoolClient) => Promise<Settlement>

/** The effect commits, and then the record is written. */
export const recordOutside: WrongStore = (pool) =>
  wrongStore(pool, async (request, handler) => {
    const settlement = await inTransaction(pool, handler)
    await insertRecord(pool, request, settlement)
    return settlement
  })

/** Looks for the record, and inserts it where there is none; its table has no unique key that would refuse a second one. */
export const checkThenInsert: WrongStore = (pool) =>
  wrongStore(pool, (request, handler) =>
    inTransaction(pool, async (client) => {
      const settlement = await handler(client)
      await insertRecord(client, request, settlement)
      return settlement
    }),
  )

function wrongStore(
  pool: pg.Pool,
  run: (request: AttemptRequest, handler: Handler) => Promise<Settlement>,
): TransactionalIdempotencyStore<pg.PoolClient> {
  const find = async ({ key }: FindRequest): Promise<CompletedRecord | undefined> => {
    const { rows } = await pool.query('SELECT fingerprint, outcome, text FROM wrong_records WHERE key = $1', [key])
    return rows[0]
  }
  return {
    name: 'wrong',
    kind: 'transactional',
    find,
    purge: async () => 0,
    async attempt(request, handler): Promise<AttemptResult> {
      const record = await find(request)
      if (record !== undefined) return { status: 'replay', record }
      await run(request, handler)
      return { status: 'completed' }
    },
  }
}

async function insertRecord(client: pg.Pool | pg.PoolClient, request: AttemptRequest, settlement: Settlement) {
  const values = [request.key, request.fingerprint, settlement.outcome, settlement.text]
  await client.query('INSERT INTO wrong_records (key, fingerprint, outcome, text) VALUES ($1, $2, $3, $4)', values)
}

async function inTransaction<Result>(pool: pg.Pool, run: (client: pg.PoolClient) => Promise<Result>): Promise<Result> {
  const client = await pool.connect()
  // Its loss is what the query tells.
  const unheard = () => {}
  client.on('error', unheard)
  try {
    await client.query('BEGIN')
    const result = await run(client)
    await client.query('COMMIT')
    client.removeListener('error', unheard).release()
    return result
  } catch (error) {
    client.release(true)
    throw error
  }
}
