import path from 'node:path'
import type { Knex } from 'knex'
import { quantile } from '../../bench/rounds.ts'
import { createTables } from '../../src/entries/knex.ts'
import type { IsolationLevel } from '../../src/sql/isolation-level.ts'
import { knexOn } from '../support/postgres-knex.ts'
import { inProcesses } from '../support/workers.ts'
import type { StoreName } from './stores.ts'
import type { Job, Report } from './worker.ts'

export interface Contest {
  readonly storeName: StoreName
  readonly level: IsolationLevel
  /** Of both processes together. */
  readonly writers: number
  readonly ms: number
}

export interface Outcome {
  readonly calls: number
  readonly perSecond: number
  readonly thrown: number
  readonly arrived: number
  readonly counts: Readonly<Record<string, number>>
  readonly p50Ms: number
  readonly p99Ms: number
  /** What does not add up; empty when all of it does. */
  readonly wrong: readonly string[]
}

const PROCESSES = 2
const ACCOUNTS = 20

/** Two processes of writers change two rows a call under idempotency keys, now and then in opposite orders, and fail now and then. */
export async function contendAt(url: string, { storeName, level, writers, ms }: Contest): Promise<Outcome> {
  const knex = knexOn(url, { max: 1 })
  try {
    await prepare(knex)
    const job: Omit<Job, 'process'> = { storeName, url, level, writers: writers / PROCESSES, accounts: ACCOUNTS, ms }
    const jobs = Array.from({ length: PROCESSES }, (_, process): Job => ({ ...job, process }))
    const { reports, tookMs } = await inProcesses<Report>(path.join(import.meta.dirname, 'worker.ts'), jobs)
    const callsMs = reports.flatMap((report) => report.callsMs)
    const sum = (of: (report: Report) => number) => reports.reduce((total, report) => total + of(report), 0)
    const counts: Record<string, number> = {}
    for (const report of reports) {
      for (const [cause, count] of Object.entries(report.counts)) counts[cause] = (counts[cause] ?? 0) + count
    }
    const [thrown, arrived] = [sum((report) => report.thrown), sum((report) => report.arrived)]
    const wrong = [...reports.flatMap((report) => report.wrong), ...(await judge(knex, reports))]
    // In a shared transaction an attempt fails for all of its members, and each is run again: the error is thrown once more.
    if (storeName !== 'pg, group commit' && thrown !== arrived)
      wrong.push(`${thrown} errors thrown, ${arrived} arrived`)
    const [p50Ms, p99Ms] = [quantile(callsMs, 0.5), quantile(callsMs, 0.99)]
    return {
      calls: callsMs.length,
      perSecond: (callsMs.length / tookMs) * 1_000,
      thrown,
      arrived,
      counts,
      p50Ms,
      p99Ms,
      wrong,
    }
  } finally {
    await knex.destroy()
  }
}

async function prepare(knex: Knex): Promise<void> {
  await createTables(knex, { idempotency: true })
  // By its default of 1 s the writers would mostly wait for it.
  await knex.raw(`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = ''50ms''', current_database()); END $$;
    DROP TABLE IF EXISTS accounts, effects;
    TRUNCATE idempotency_records;
    CREATE TABLE effects (key text NOT NULL);
    CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL, version int NOT NULL);
    INSERT INTO accounts SELECT id, 0, 0 FROM generate_series(0, ${ACCOUNTS - 1}) id`)
}

/** The effects, the records and the rows, against what the writers were told. */
async function judge(knex: Knex, reports: readonly Report[]): Promise<string[]> {
  const keys = async (sql: string) => (await knex.raw(sql)).rows.map(({ key }: { key: string }) => key) as string[]
  const effects = await keys('SELECT key FROM effects')
  const records = await keys("SELECT idempotency_key AS key FROM idempotency_records WHERE status = 'completed'")
  const told = new Set(reports.flatMap(({ acknowledged }) => acknowledged))
  const declined = reports.flatMap((report) => report.declined)
  const { rows } = await knex.raw(
    `SELECT sum(balance)::int AS balances, sum(version)::int AS versions,
      (SELECT count(*)::int FROM idempotency_records) AS records FROM accounts`,
  )
  const distinct = new Set(effects)
  const judged = {
    'an effect is there twice': distinct.size === effects.length,
    'effects and answers differ': same(distinct, told),
    'effects and records differ': same(distinct, new Set(records)) && rows[0].records === effects.length,
    'a call that failed by an error of its own has left a trace': declined.every((key) => !distinct.has(key)),
    'the balances are not exact': rows[0].balances === 2 * effects.length,
    'the versions are not exact': rows[0].versions === 2 * effects.length,
  }
  return Object.entries(judged).flatMap(([what, holds]) => (holds ? [] : [what]))
}

function same(some: ReadonlySet<string>, others: ReadonlySet<string>): boolean {
  return some.size === others.size && [...some].every((key) => others.has(key))
}
