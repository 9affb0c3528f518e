/** `npx -y pnpm@10 demo`: what each guard is for, then the server under the real k6. Exits 0 only if everything held. */
import { findK6 } from './find-k6.ts'
import { race } from './race.ts'
import { howToGetK6 } from './texts.ts'
import { underLoad } from './under-load.ts'

const raceHeld = await race()
const k6 = await findK6()
if (k6 === undefined) console.log(`\n${howToGetK6}`)
const loadHeld = k6 === undefined || (await underLoad(k6))
console.log(raceHeld && loadHeld ? '\nEverything held.' : '\nNOT everything held.')
process.exitCode = raceHeld && loadHeld ? 0 : 1
