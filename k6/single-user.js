// All virtual users charge one user: one hot row. Needs k6 v1.0.0 or later (`crypto` without an import).
//
//   k6 run k6/single-user.js
//
// USER_ID (1), and the options of balance-charge.js but for USER_COUNT.

import { sleep } from 'k6'
import { charge, summaryTrendStats, thresholds } from './lib/charge.js'
import { chargeAmount, stages, thinkSeconds, userId } from './lib/settings.js'

export const options = { stages, thresholds, summaryTrendStats }

export default function () {
  charge({ userId, amount: chargeAmount, idempotencyKey: crypto.randomUUID() })
  sleep(thinkSeconds)
}
