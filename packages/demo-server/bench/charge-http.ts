/** The HTTP side that the servers of the benchmark share, whatever charges behind it; errors and log lines are the demo server's. */
import Fastify from 'fastify'
import pino from 'pino'

export type Outcome = { readonly replay: string } | { readonly charged: string } | { readonly refused: Refusal }

export interface StoredCharge {
  readonly user_id: number
  readonly amount: number
  readonly response: string
}

export class Refusal extends Error {
  readonly status: number
  readonly body: string
  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.body = JSON.stringify({ code, message, timestamp: new Date().toISOString() })
  }
}

export const userUnknown = () => new Refusal(404, 'U001', '사용자를 찾을 수 없습니다')
export const balanceTooLarge = () => new Refusal(400, 'U002', '충전 금액이 올바르지 않습니다')

export const RETENTION_MS = 24 * 60 * 60 * 1000

export const log = pino({ level: process.env.LOG_LEVEL ?? 'info' }, pino.destination({ sync: false }))

/** The stored answer, for whoever asks for the same with the same key. */
export function replayOf(
  { user_id, amount: charged, response }: StoredCharge,
  userId: number,
  amount: number,
): Outcome {
  if (Number(user_id) === userId && Number(charged) === amount) return { replay: response }
  return { refused: new Refusal(422, 'COMMON006', '같은 멱등성 키가 다른 요청에 사용되었습니다') }
}

/** The last one waiting for each user. */
const queues = new Map<number, Promise<unknown>>()

/** A queue per user, so that the requests of one process do not meet in the store. */
export async function inTurn<Result>(userId: number, run: () => Result): Promise<Awaited<Result>> {
  const turn = (queues.get(userId) ?? Promise.resolve()).then(run)
  const settled = turn.catch(() => {})
  queues.set(userId, settled)
  try {
    return await turn
  } finally {
    if (queues.get(userId) === settled) queues.delete(userId)
  }
}

/** Serves charges on `PORT`, until a signal. */
export async function serve(
  charge: (userId: number, amount: number, key: string) => Outcome | Promise<Outcome>,
  close: () => unknown,
): Promise<void> {
  const server = Fastify()
  server.setErrorHandler((error, request, reply) => {
    if (!(error instanceof Refusal)) log.error({ err: error }, `${request.method} ${request.url} failed`)
    const refusal = error instanceof Refusal ? error : new Refusal(500, 'COMMON001', '서버 내부 오류가 발생했습니다')
    return reply.code(refusal.status).type('application/json; charset=utf-8').send(refusal.body)
  })
  server.post<{ Params: { userId: string } }>('/api/users/:userId/balance/charge', async ({ params, body }, reply) => {
    const { userId, amount, key } = validate(params.userId, body)
    log.info(`Charging balance for userId: ${userId}, amount: ${amount}, idempotencyKey: ${key}`)
    const outcome = await charge(userId, amount, key)
    if ('refused' in outcome) throw outcome.refused
    log.info(`Charge completed successfully. idempotencyKey: ${key}`)
    return reply.type('application/json; charset=utf-8').send('replay' in outcome ? outcome.replay : outcome.charged)
  })
  server.get('/ready', async () => ({ status: 'ready' }))
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, async () => {
      await server.close()
      await close()
    })
  }
  await server.listen({ host: '127.0.0.1', port: Number(process.env.PORT ?? 8081) })
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
