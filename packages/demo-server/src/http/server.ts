import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import type { ChargeBalance } from '../charge-balance.ts'
import type { Accounts } from '../database/accounts.ts'
import type { Metrics } from '../metrics.ts'
import { sendJson, sendProblem } from './answers.ts'
import { chargeCommandOf, userIdOf } from './charge-request.ts'
import { answerConnectionError, answerUnsupported } from './connection-errors.ts'
import { problemOf } from './problem-of.ts'
import { problems, Refusal } from './problems.ts'
import { silentConnections } from './silent-connections.ts'

export interface HttpServerOptions {
  readonly charge: ChargeBalance
  readonly accounts: Pick<Accounts<unknown>, 'balanceOf'>
  readonly metrics: Metrics
  /** Rejects when a store does not answer. */
  readonly checkStores: () => Promise<void>
  readonly log: Logger
  /** Longest time for a request to arrive whole, in ms. */
  readonly requestMs: number
}

const BODY_LIMIT_BYTES = 16 * 1024

export function httpServer(options: HttpServerOptions): FastifyInstance {
  const { metrics, log, requestMs } = options

  const refuse = (error: unknown, request: FastifyRequest, reply: FastifyReply) => {
    const problem = problemOf(error)
    metrics.refused(problem)
    if (problem === problems.unforeseen) log.error({ err: error }, `${request.method} ${request.url} failed`)
    if (problem === problems.unavailable) log.warn({ err: error }, `${request.method} ${request.url} not possible now`)
    return sendProblem(request, reply, problem)
  }

  /** Of each connection, the answer to its latest request. */
  const latest = new WeakMap<Socket, ServerResponse>()
  const server = Fastify({
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: requestMs,
    // Whatever Node.js or Fastify would answer by themselves is answered here, in the one shape of all errors.
    http: { requireHostHeader: false, headersTimeout: requestMs, connectionsCheckingInterval: 1_000 },
    return503OnClosing: false,
    frameworkErrors: refuse,
    clientErrorHandler: (error, socket) => answerConnectionError(error, socket, latest.get(socket), metrics.refused),
  })
  answerUnsupported(server.server, metrics.refused)
  server.setErrorHandler(refuse)
  server.setNotFoundHandler((request, reply) => refuse(new Refusal(problems.pathUnknown), request, reply))

  const hangUpOnSilent = silentConnections(server.server, latest)
  let closing = false
  server.addHook('preClose', (done) => {
    closing = true
    hangUpOnSilent()
    done()
  })
  server.addHook('onRequest', ({ raw }, reply, done) => {
    latest.set(raw.socket, reply.raw)
    if (closing) done(new Refusal(problems.unavailable))
    else if (raw.headers.host === undefined && raw.httpVersion === '1.1') done(new Refusal(problems.hostMissing))
    else done()
  })

  server.addHook('onSend', (_request, reply, payload, done) => {
    // A connection that was busy when the server began to close would be kept alive, and hold it up.
    if (closing) reply.header('connection', 'close')
    done(null, payload)
  })

  server.removeAllContentTypeParsers()
  server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  addBalanceRoutes(server, options)
  addOperationRoutes(server, options)
  return server
}

function addBalanceRoutes(server: FastifyInstance, { charge, accounts, metrics }: HttpServerOptions): void {
  server.post<{ Params: { userId: string }; Body: Buffer | undefined }>(
    '/api/users/:userId/balance/charge',
    async (request, reply) => {
      const { params, body, headers } = request
      const command = chargeCommandOf(params.userId, body, headers['idempotency-key']?.toString())
      return sendJson(reply, await metrics.watchCharge(() => charge(command, goneSignal(reply))))
    },
  )

  server.get<{ Params: { userId: string } }>('/api/users/:userId/balance', async ({ params }, reply) => {
    const userId = userIdOf(params.userId)
    const balance = await accounts.balanceOf(userId)
    if (balance === undefined) throw new Refusal(problems.userUnknown)
    return sendJson(reply, { userId, balance })
  })
}

function addOperationRoutes(server: FastifyInstance, { metrics, checkStores }: HttpServerOptions): void {
  server.get('/health', async (_request, reply) => sendJson(reply, { status: 'ok' }))
  server.get('/ready', async (_request, reply) => {
    await checkStores()
    return sendJson(reply, { status: 'ready' })
  })
  server.get('/metrics', async (_request, reply) =>
    reply.header('content-type', metrics.contentType).send(await metrics.text()),
  )
}

/** Aborts when the client goes away before it has its answer. */
function goneSignal({ raw }: FastifyReply): AbortSignal {
  const gone = new AbortController()
  raw.once('close', () => {
    if (!raw.writableFinished) gone.abort(new Refusal(problems.clientGone))
  })
  return gone.signal
}
