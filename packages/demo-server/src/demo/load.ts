/**
 * k6 against a server that runs already: `npx -y pnpm@10 load [balance-charge|single-user|repeated-keys] [k6 options]`.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { findK6 } from './find-k6.ts'
import { scriptFile } from './run-k6.ts'
import { howToGetK6 } from './texts.ts'

const variants = ['balance-charge', 'single-user', 'repeated-keys']
const args = process.argv.slice(2).filter((argument) => argument !== '--')
const variant = variants.includes(args[0] ?? '') ? (args.shift() as string) : 'balance-charge'

const k6 = await findK6()
if (k6 === undefined) {
  console.error(howToGetK6)
  process.exitCode = 1
} else {
  const child = spawn(k6.command, [...k6.args, 'run', ...args, scriptFile(variant)], { stdio: 'inherit' })
  const [code] = await once(child, 'exit')
  process.exitCode = code ?? 1
}
