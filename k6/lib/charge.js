import { check, sleep } from 'k6'
import http from 'k6/http'
import { Counter, Rate } from 'k6/metrics'
import { baseUrls, mostRepeats, printAcknowledged, repeatsContended } from './settings.js'

const errors = new Rate('errors')
const success = new Rate('success')
const acknowledged = new Counter('acknowledged_charges')
const optimisticLockConflicts = new Counter('optimistic_lock_conflicts')

const CONTENDED = 409
const VERSION_CONFLICT = 'COMMON005'
const LONGEST_PAUSE_SECONDS = 2

/** Every one of them fails when nothing was charged, too: a rate without a sample would pass. */
export const thresholds = {
  checks: ['rate==1'],
  errors: ['rate==0'],
  success: ['rate==1'],
  acknowledged_charges: ['count>0'],
  optimistic_lock_conflicts: ['count<=10'],
}

export const summaryTrendStats = ['avg', 'min', 'med', 'p(95)', 'p(99)', 'max']

/** Charges, and checks the answer. `turn`: at which instance, counted from the virtual user's own. */
export function charge(command, turn = 0) {
  return settle(post(command, turn), command)
}

/**
 * The same request under the same key `copies` times at once, as from a user who clicks again and again: where there are
 * several instances, each copy goes to another.
 */
export function chargeAtOnce(command, copies) {
  const responses = http.batch(Array.from({ length: copies }, (_, copy) => requestOf(command, copy)))
  return responses.map((response) => settle(response, command))
}

/**
 * Repeats under the same key what was not answered or got a 5xx, at the next instance if there are several, and checks
 * the last answer.
 */
function settle(response, command) {
  let body = record(response, command)
  for (let repeat = 1; isOpen(response) && repeat <= mostRepeats; repeat++) {
    sleep(pauseSeconds(response, repeat))
    response = post(command, repeat)
    body = record(response, command)
  }
  check(response, {
    'status is 200': ({ status }) => status === 200,
    'response has balance': () => Number.isSafeInteger(body.balance),
    'balance increased correctly': () => body.chargedAmount === command.amount && body.balance >= command.amount,
  })
  return response
}

function pauseSeconds({ status, headers }, repeat) {
  if (status === CONTENDED) return Number(headers['Retry-After'])
  return Math.random() * Math.min(0.1 * 2 ** repeat, LONGEST_PAUSE_SECONDS)
}

function post(command, turn) {
  const { method, url, body, params } = requestOf(command, turn)
  return http.request(method, url, body, params)
}

function requestOf({ userId, amount, idempotencyKey }, turn) {
  const baseUrl = baseUrls[(__VU + turn) % baseUrls.length]
  return {
    method: 'POST',
    url: `${baseUrl}/api/users/${userId}/balance/charge`,
    body: JSON.stringify({ amount, idempotencyKey }),
    // One name for all users: k6 keeps its figures per name.
    params: { headers: { 'Content-Type': 'application/json' }, tags: { name: 'charge' } },
  }
}

/** Feeds the metrics with one answer, whatever it is, and returns its body. */
function record(response, { userId, amount, idempotencyKey }) {
  const charged = response.status === 200
  errors.add(!charged)
  success.add(charged)
  const body = jsonOf(response)
  optimisticLockConflicts.add(response.status === CONTENDED && body.code === VERSION_CONFLICT ? 1 : 0)
  if (charged) {
    acknowledged.add(1)
    if (printAcknowledged) console.log(`acknowledged ${idempotencyKey} ${userId} ${amount} ${body.balance}`)
  } else if (printAcknowledged) console.log(`refused ${response.status}`)
  return body
}

/** Whether the charge may or may not have happened, or is to be tried again. */
function isOpen({ status }) {
  return status === 0 || status >= 500 || (repeatsContended && status === CONTENDED)
}

function jsonOf({ body }) {
  try {
    return JSON.parse(body) || {}
  } catch {
    return {}
  }
}
