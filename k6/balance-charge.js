// Charges of many users under a growing load. Needs k6 v1.0.0 or later (`crypto` without an import).
//
//   k6 run k6/balance-charge.js
//   k6 run -e USER_COUNT=10 -e TOP_VUS=200 -e HOLD_SECONDS=10 k6/balance-charge.js
//
// USER_COUNT (100), CHARGE_AMOUNT (10000), BASE_URL (http://localhost:8080), THINK_SECONDS (1), TOP_VUS (1000),
// RAMP_SECONDS (30), HOLD_SECONDS (60). BASE_URL may name several instances, with commas between: a virtual user takes one
// of them, and the next where it has to repeat. MOST_REPEATS (8), REPEAT_CONTENDED (false: a 409 is not repeated).
// Up to USER_COUNT virtual users never meet: each has a user of its own.

import { sleep } from 'k6'
import { charge, summaryTrendStats, thresholds } from './lib/charge.js'
import { chargeAmount, stages, thinkSeconds, userCount } from './lib/settings.js'

export const options = { stages, thresholds, summaryTrendStats }

export default function () {
  charge({ userId: (__VU % userCount) + 1, amount: chargeAmount, idempotencyKey: crypto.randomUUID() })
  sleep(thinkSeconds)
}
