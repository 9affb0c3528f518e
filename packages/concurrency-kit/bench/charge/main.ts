/**
 * What a charge sends to Postgres, and how many a second there are beside the same transaction written by hand:
 * `npx -y pnpm@10 -F concurrency-kit bench:charge [rounds] [charges a run]`. Postgres is that of
 * `DATABASE_URL`, in a database of its own, or a container.
 */
import { createTables } from '../../src/entries/knex.ts'
import { knexOn } from '../../test/support/postgres-knex.ts'
import { inRounds, print } from '../rounds.ts'
import { benchDatabase } from '../servers.ts'
import { byHand, kitOnKnex, kitOnPg, type Way } from './ways.ts'

const [rounds = 7, charges = 2_000] = process.argv.slice(2).map(Number)
const USERS = 50

let charged = 0

async function measure(url: string): Promise<void> {
  const knex = knexOn(url)
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
  try {
    for (const way of ways) await list(way)
    await compare(ways, 1, Math.ceil(charges / 4), 'One caller')
    await compare(ways, USERS, charges, `${USERS} callers, each with a user of its own`)
    const { rows } =
      await knex.raw(`SELECT sum(balance)::int AS balances, (SELECT count(*)::int FROM idempotency_records
      WHERE status = 'completed') AS records FROM accounts`)
    if (rows[0].balances !== charged || rows[0].records !== charged)
      throw new Error(`${charged}, but ${JSON.stringify(rows)}`)
  } finally {
    for (const way of ways) await way.close()
    await knex.destroy()
  }
}

/** What one charge sends, once its statements are prepared on the connection. */
async function list(way: Way): Promise<void> {
  await many(way, 1, 3)
  Object.assign(way.sent, { roundTrips: 0, texts: [] })
  await many(way, 1, 1)
  console.log(`\n${way.name}: ${way.sent.roundTrips} round trips`)
  for (const text of way.sent.texts) console.log(`  ${text.replaceAll(/\s+/g, ' ').slice(0, 120)}`)
}

async function compare(ways: readonly Way[], callers: number, count: number, title: string): Promise<void> {
  const contenders = ways.map((way) => ({ name: way.name, run: (charges: number) => many(way, callers, charges) }))
  print(title, 'charges/s', await inRounds(contenders, rounds, count))
}

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

const database = await benchDatabase()
if (database !== undefined) await measure(database.url).finally(database.close)
else console.log('No Docker engine answers, and DATABASE_URL is not set: the charge on Postgres is left out.')
