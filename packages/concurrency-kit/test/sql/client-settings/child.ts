/** Runs a contract in a process of its own: `child.ts <SQLite or Postgres> <suite> <setting>`. Prints what failed, as JSON in its last line. */
import { outcomesOf } from '../../support/outcomes.ts'
import type { Setting } from './settings.ts'
import { ON_POSTGRES, ON_SQLITE } from './suites.ts'

const [database, name = '', setting] = process.argv.slice(2)
const suite = (database === 'SQLite' ? ON_SQLITE : ON_POSTGRES)[name]
if (suite === undefined) throw new TypeError(`there is no suite ${name}`)
// Some look at times: not so many at once that these say something of the machine.
const outcomes = await outcomesOf((runner) => suite(runner, setting as Setting), 6)
console.log(JSON.stringify(outcomes))
process.exit()
