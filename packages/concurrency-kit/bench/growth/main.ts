/**
 * How the lock engine grows, into docs/growth.md, its plots and the figures behind them:
 * `npx -y pnpm@10 -F concurrency-kit growth [callers|keys|processes|hand-off|all|draw] [rounds]`. Redis is that of `REDIS_URL`, Postgres
 * that of `DATABASE_URL`, or containers. `draw` measures nothing.
 */
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { chapters } from './chapters.ts'
import { document } from './document.ts'
import { FOLDER, write } from './results.ts'
import { onServers } from './servers.ts'

const [what = 'all', roundsText = '3'] = process.argv.slice(2)
const rounds = Number(roundsText)
const names = what === 'all' ? Object.keys(chapters) : [what].filter((name) => name !== 'draw')
const unknown = names.find((name) => chapters[name] === undefined)
if (unknown !== undefined)
  throw new TypeError(`no such part: ${unknown}; there are ${Object.keys(chapters).join(', ')}`)

if (names.length > 0) {
  await onServers(async (servers) => {
    for (const name of names) {
      // Its largest sizes take minutes, and are means over a million.
      const own = name === 'keys' ? 1 : rounds
      write(name, own, (await chapters[name]?.measure(own, servers)) ?? [])
    }
  })
}
await document()
const root = path.resolve(FOLDER, '../..')
execFileSync(path.join(root, 'node_modules/.bin/biome'), ['format', '--write', `${FOLDER}.md`, FOLDER], { cwd: root })
