import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Language, preferredLanguage } from './language.ts'
import type { Problem } from './problems.ts'

const JSON_TYPE = 'application/json; charset=utf-8'

export function sendJson(reply: FastifyReply, value: unknown): FastifyReply {
  return reply.header('content-type', JSON_TYPE).send(JSON.stringify(value))
}

export function sendProblem(request: FastifyRequest, reply: FastifyReply, problem: Problem): FastifyReply {
  if (problem.retryAfterSeconds !== undefined) reply.header('retry-after', problem.retryAfterSeconds)
  return reply
    .code(problem.status)
    .header('content-type', JSON_TYPE)
    .header('vary', 'Accept-Language')
    .send(problemBody(problem, preferredLanguage(request.headers['accept-language'])))
}

export function problemBody({ code, message }: Problem, language: Language): string {
  return JSON.stringify({ code, message: message[language], timestamp: new Date().toISOString() })
}
