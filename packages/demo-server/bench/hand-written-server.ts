/**
 * The charge as a careful engineer writes it without the kit, to measure against: fastify, better-sqlite3, a queue per
 * user in the process, and one transaction for record and balance. Log lines and durability are the demo server's.
 */
import Sqlite from 'better-sqlite3'
import Fastify from 'fastify'
import pino from 'pino'

interface StoredCharge {
  readonly user_id: number
  readonly amount: number
  readonly response: string
}

type Outcome = { readonly replay: string } | { readonly charged: string } | { readonly refused: Refusal }

class Refusal extends Error {
  readonly status: number
  readonly body: string
  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.body = JSON.stringify({ code, message, timestamp: new Date().toISOString() })
  }
}

const RETENTION_MS = 24 * 60 * 60 * 1000

const log = pino({ level: process.env.LOG_LEVEL ?? 'info' }, pino.destination({ sync: false }))
const database = openDatabase(
  process.env.DATABASE_FILE ?? 'data/hand-written.db',
  Number(process.env.SEED_USERS ?? 1000),
)

const findRecord = database.prepare<[string, string], StoredCharge>(
  'SELECT user_id, amount, response FROM charge_balance_idempotency WHERE idempotency_key = ? AND expires_at > ?',
)
const insertRecord = database.prepare(
  `INSERT OR REPLACE INTO charge_balance_idempotency
   (idempotency_key, status, user_id, amount, response, created_at, expires_at) VALUES (?, 'COMPLETED', ?, ?, ?, ?, ?)`,
)
const credit = database.prepare<[number, number], { balance: number }>(
  'UPDATE users SET balance = balance + ?, version = version + 1 WHERE id = ? RETURNING balance',
)
const readBalance = database.prepare<[number], { balance: number }>('SELECT balance FROM users WHERE id = ?')

const charge = database.transaction((userId: number, amount: number, key: string): Outcome => {
  const now = Date.now()
  const chargedAt = new Date(now).toISOString()
  const earlier = findRecord.get(key, chargedAt)
  if (earlier) return replayOf(earlier, userId, amount)
  const account = readBalance.get(userId)
  if (!account) return { refused: new Refusal(404, 'U001', '사용자를 찾을 수 없습니다') }
  if (!Number.isSafeInteger(account.balance + amount)) {
    return { refused: new Refusal(400, 'U002', '충전 금액이 올바르지 않습니다') }
  }
  const balance = credit.get(amount, userId)?.balance
  const response = JSON.stringify({ userId, balance, chargedAmount: amount, chargedAt })
  insertRecord.run(key, userId, amount, response, chargedAt, new Date(now + RETENTION_MS).toISOString())
  return { charged: response }
})

function replayOf({ user_id, amount: charged, response }: StoredCharge, userId: number, amount: number): Outcome {
  if (user_id === userId && charged === amount) return { replay: response }
  return { refused: new Refusal(422, 'COMMON006', '같은 멱등성 키가 다른 요청에 사용되었습니다') }
}

/** The last one waiting for each user. */
const queues = new Map<number, Promise<unknown>>()

async function inTurn<Result>(userId: number, run: () => Result): Promise<Result> {
  const turn = (queues.get(userId) ?? Promise.resolve()).then(run)
  const settled = turn.catch(() => {})
  queues.set(userId, settled)
  try {
    return await turn
  } finally {
    if (queues.get(userId) === settled) queues.delete(userId)
  }
}

function validate(userIdText: string, body: unknown): { userId: number; amount: number; key: string } {
  const userId = Number(userIdText)
  if (!/^[1-9]\d*$/.test(userIdText) || !Number.isSafeInteger(userId)) throw badRequest('userId가 올바르지 않습니다')
  if (typeof body !== 'object' || body === null) throw badRequest('요청 본문은 JSON 객체여야 합니다')
  const { amount, idempotencyKey: key } = body as Record<string, unknown>
  if (typeof key !== 'string' || key.trim() === '') throw badRequest('멱등성 키는 필수입니다')
  if (key.length > 100) throw badRequest('멱등성 키는 100자를 초과할 수 없습니다')
  if (amount === undefined || amount === null) throw badRequest('충전 금액은 필수입니다')
  if (typeof amount !== 'number' || !Number.isSafeInteger(amount)) throw badRequest('충전 금액이 올바르지 않습니다')
  if (amount < 1) throw badRequest('충전 금액은 1원 이상이어야 합니다')
  return { userId, amount, key }
}

const badRequest = (message: string) => new Refusal(400, 'COMMON002', message)

function openDatabase(file: string, users: number): Sqlite.Database {
  const opened = new Sqlite(file)
  opened.pragma('journal_mode = WAL')
  opened.pragma('synchronous = FULL')
  opened.exec(`
    CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL, version INTEGER NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS charge_balance_idempotency (
      idempotency_key TEXT NOT NULL UNIQUE, status TEXT NOT NULL, user_id INTEGER NOT NULL, amount INTEGER NOT NULL,
      response TEXT NOT NULL, created_at TEXT NOT NULL, expires_at TEXT NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS charge_balance_idempotency_expires_at ON charge_balance_idempotency (expires_at);`)
  const insert = opened.prepare('INSERT OR IGNORE INTO users (id, balance, version) VALUES (?, 0, 1)')
  opened.transaction(() => {
    for (let id = 1; id <= users; id++) insert.run(id)
  })()
  return opened
}

const server = Fastify()
server.setErrorHandler((error, request, reply) => {
  if (!(error instanceof Refusal)) log.error({ err: error }, `${request.method} ${request.url} failed`)
  const refusal = error instanceof Refusal ? error : new Refusal(500, 'COMMON001', '서버 내부 오류가 발생했습니다')
  return reply.code(refusal.status).type('application/json; charset=utf-8').send(refusal.body)
})
server.post<{ Params: { userId: string } }>('/api/users/:userId/balance/charge', async ({ params, body }, reply) => {
  const { userId, amount, key } = validate(params.userId, body)
  log.info(`Charging balance for userId: ${userId}, amount: ${amount}, idempotencyKey: ${key}`)
  const outcome = await inTurn(userId, () => {
    log.info(`Distributed lock acquired: balance:user:${userId}`)
    return charge.immediate(userId, amount, key)
  })
  if ('refused' in outcome) throw outcome.refused
  log.info(`Charge completed successfully. idempotencyKey: ${key}`)
  return reply.type('application/json; charset=utf-8').send('replay' in outcome ? outcome.replay : outcome.charged)
})
server.get('/ready', async () => ({ status: 'ready' }))

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, async () => {
    await server.close()
    database.close()
  })
}
await server.listen({ host: '127.0.0.1', port: Number(process.env.PORT ?? 8081) })
