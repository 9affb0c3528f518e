/**
 * What a charge sends to Postgres, and how many a second there are beside the same transaction written by hand:
 * `npx -y pnpm@10 -F concurrency-kit bench:charge [rounds] [charges a run]`. The Postgres is that of `DATABASE_URL`, or a container.
 */
import { createTables } from '../../src/entries/knex.ts'
import { startPostgres } from '../../test/support/containers.ts'
import { knexOn } from '../../test/support/postgres-knex.ts'
import { inRounds, print } from '../rounds.ts'
import { byHand, kitOnKnex, kitOnPg, type Way } from './ways.ts'

const [rounds = 7, charges = 2_000] = process.argv.slice(2).map(Number)
const USERS = 50

const postgres = process.env.DATABASE_URL ? undefined : await startPostgres()
const url = process.env.DATABASE_URL || (postgres?.url ?? '')
const knex = knexOn(url)
await knex.raw('DROP TABLE IF EXISTS accounts, idempotency_records')
await createTables(knex, { idempotency: true })
await knex.raw(`CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL, version bigint NOT NULL);
  INSERT INTO accounts SELECT id, 0, 1 FROM generate_series(1, ${USERS}) AS id`)

const ways: readonly Way[] = [
  byHand(url),
  kitOnPg('the kit, pg', url, { pipeline: false, groupCommit: false }),
  kitOnPg('the kit, pg, pipeline', url, { pipeline: true, groupCommit: false }),
  kitOnPg('the kit, pg, groupCommit', url, { pipeline: true, groupCommit: true }),
  kitOnKnex(url),
]
let charged = 0

async function many(way: Way, callers: number, count: number): Promise<void> {
  let left = count
  charged += count
  const caller = async (_: unknown, index: number) => {
    while (left > 0) {
      left -= 1
      await way.charge((index % USERS) + 1, 1)
    }
  }
  await Promise.all(Array.from({ length: callers }, caller))
}

for (const way of ways) {
  // Statements are prepared once a connection.
  await many(way, 1, 3)
  Object.assign(way.sent, { roundTrips: 0, texts: [] })
  await many(way, 1, 1)
  console.log(`\n${way.name}: ${way.sent.roundTrips} round trips`)
  for (const text of way.sent.texts) console.log(`  ${text.replaceAll(/\s+/g, ' ').slice(0, 120)}`)
}

for (const callers of [1, USERS]) {
  const count = callers === 1 ? charges / 4 : charges
  const contenders = ways.map((way) => ({ name: way.name, run: (count: number) => many(way, callers, count) }))
  const title = callers === 1 ? 'One caller' : `${callers} callers, each with a user of its own`
  print(title, 'charges/s', await inRounds(contenders, rounds, count))
}

const { rows } = await knex.raw(`SELECT sum(balance)::int AS balances, (SELECT count(*)::int FROM idempotency_records
  WHERE status = 'completed') AS records FROM accounts`)
if (rows[0].balances !== charged || rows[0].records !== charged)
  throw new Error(`${charged}, but ${JSON.stringify(rows)}`)
for (const way of ways) await way.close()
await knex.destroy()
await postgres?.stop()
