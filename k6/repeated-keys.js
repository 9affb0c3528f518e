// Every charge is sent several times at once, and once more when it is done, under one key: it is to be charged once,
// and every answer is to be the same to the byte. Needs k6 v1.0.0 or later (`crypto` without an import).
//
//   k6 run k6/repeated-keys.js
//
// COPIES (3) at once, each to another instance where BASE_URL names several, and the options of balance-charge.js.

import { check, sleep } from 'k6'
import { charge, chargeAtOnce, summaryTrendStats, thresholds } from './lib/charge.js'
import { chargeAmount, copies, stages, thinkSeconds, userCount } from './lib/settings.js'

export const options = { stages, thresholds, summaryTrendStats, batch: copies, batchPerHost: copies }

export default function () {
  const command = { userId: (__VU % userCount) + 1, amount: chargeAmount, idempotencyKey: crypto.randomUUID() }
  const answers = chargeAtOnce(command, copies)
  const late = charge(command, copies)
  check(late, { 'repeated answer is the same': ({ body }) => answers.every((answer) => answer.body === body) })
  sleep(thinkSeconds)
}
