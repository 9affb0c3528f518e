import type { Break } from './break.ts'
import { claimBreaks } from './breaks/claims.ts'
import { contextAndInputBreaks } from './breaks/context-and-input.ts'
import { contractAndLimitBreaks } from './breaks/contracts-and-limits.ts'
import { demoServerBreaks } from './breaks/demo-server.ts'
import { everyRecordStoreBreaks } from './breaks/every-record-store.ts'
import { everyStoreBreaks } from './breaks/every-store.ts'
import { idempotencyBreaks } from './breaks/idempotency.ts'
import { ioredisBreaks } from './breaks/ioredis.ts'
import { lockBreaks } from './breaks/lock.ts'
import { lockOnPostgresBreaks } from './breaks/lock-on-postgres.ts'
import { optimisticBreaks } from './breaks/optimistic.ts'
import { postgresBreaks } from './breaks/postgres.ts'
import { redlockBreaks } from './breaks/redlock.ts'
import { rowBreaks } from './breaks/rows.ts'
import { transactionBreaks } from './breaks/transactions.ts'
import { valueBreaks } from './breaks/values.ts'

/** All faults that can be put into the code. */
export const breaks: readonly Break[] = [
  ...lockBreaks,
  ...lockOnPostgresBreaks,
  ...everyStoreBreaks,
  ...everyRecordStoreBreaks,
  ...claimBreaks,
  ...valueBreaks,
  ...idempotencyBreaks,
  ...optimisticBreaks,
  ...rowBreaks,
  ...postgresBreaks,
  ...ioredisBreaks,
  ...redlockBreaks,
  ...transactionBreaks,
  ...demoServerBreaks,
  ...contractAndLimitBreaks,
  ...contextAndInputBreaks,
]
