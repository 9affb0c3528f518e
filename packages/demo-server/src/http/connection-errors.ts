import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { problemBody } from './answers.ts'
import { type Problem, problems } from './problems.ts'

/** `rawPacket` is a Buffer, which Fastify types by what `toJSON` makes of it. */
type ConnectionError = Error & { readonly code?: string | undefined; readonly rawPacket?: unknown }

/** Long enough to read the answer, and short enough that a client that goes on sending is cut off. */
const LINGER_MS = 1_000

/**
 * Answers a request that the HTTP parser refused: there is no request object, only a socket.
 *
 * `running` is the answer that an earlier request on this connection still waits for: that request must not get this
 * one's, and the connection ends after it.
 */
export function answerConnectionError(
  error: ConnectionError,
  socket: Socket,
  running: ServerResponse | undefined,
  report: (problem: Problem) => void,
): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
  } else if (running !== undefined && !running.writableFinished) {
    running.once('close', () => socket.destroySoon())
  } else {
    const problem = problemOfConnection(error)
    report(problem)
    endWith(socket, problem)
  }
}

/** Answers what Node.js would answer by itself, with an empty body or by hanging up. */
export function answerUnsupported(server: Server, report: (problem: Problem) => void): void {
  server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => {
    report(problems.expectationUnknown)
    const body = problemBody(problems.expectationUnknown, 'ko')
    response.writeHead(problems.expectationUnknown.status, { ...headers(body), connection: 'close' }).end(body)
  })
  server.on('connect', (_request: IncomingMessage, socket: Socket) => {
    report(problems.pathUnknown)
    endWith(socket, problems.pathUnknown)
  })
}

function problemOfConnection({ code, rawPacket }: ConnectionError): Problem {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return problems.requestTooSlow
  if (code !== 'HPE_HEADER_OVERFLOW') return problems.requestMalformed
  // The parser counts the URL among the headers; an unfinished first line tells them apart.
  const start = Buffer.isBuffer(rawPacket) ? rawPacket.subarray(0, 8 * 1024).toString('latin1') : ''
  return /^[A-Z]+ [^\r\n]*$/.test(start) ? problems.urlTooLong : problems.headersTooLarge
}

function headers(body: string) {
  return {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    vary: 'Accept-Language',
  }
}

function endWith(socket: Socket, problem: Problem): void {
  const body = problemBody(problem, 'ko')
  const head = Object.entries({ ...headers(body), connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\n${head.join('')}\r\n${body}`)
  setTimeout(() => socket.destroy(), LINGER_MS).unref()
}
