export interface Config {
  readonly host: string
  readonly port: number
  /** Path of the SQLite file, relative to the working directory. */
  readonly databaseFile: string
  readonly seedUsers: number
  readonly logLevel: LogLevel
  readonly switches: Switches
  readonly limits: Limits
}

/** Which guards stand: all of them, but where their effect is to be shown. */
export interface Switches {
  readonly lock: boolean
  readonly versionCheck: boolean
  readonly idempotency: boolean
}

/** All in ms. */
export interface Limits {
  readonly lockTtlMs: number
  readonly lockWaitMs: number
  /** Longest wait for the same idempotency key's run elsewhere. */
  readonly keyWaitMs: number
  readonly recordRetentionMs: number
  /** Longest time for a request to arrive whole. */
  readonly requestMs: number
}

export const defaultLimits: Limits = {
  lockTtlMs: 30_000,
  lockWaitMs: 10_000,
  keyWaitMs: 5_000,
  recordRetentionMs: 24 * 60 * 60 * 1000,
  requestMs: 30_000,
}

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
type LogLevel = (typeof logLevels)[number]

/** A setting that the server does not start with. The message names the variable and says what it takes. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/** @throws ConfigError at the first setting that is wrong, or that nothing implements yet. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  // An empty variable counts as unset: that is how shells and compose files leave one out.
  const read = (name: string, fallback: string): string => env[name] || fallback
  if (env.REDIS_URL) {
    throw new ConfigError('REDIS_URL is not supported yet: leave it unset, the locks are in-process')
  }
  return {
    host: read('HOST', '127.0.0.1'),
    port: wholeNumber('PORT', read('PORT', '8080'), 65_535),
    databaseFile: sqliteFile(read('DATABASE_URL', 'sqlite:./data/demo.db')),
    seedUsers: wholeNumber('SEED_USERS', read('SEED_USERS', '1000'), 1_000_000),
    logLevel: oneOf('LOG_LEVEL', read('LOG_LEVEL', 'info'), logLevels),
    switches: {
      lock: isOn('LOCK', read('LOCK', 'on')),
      versionCheck: isOn('VERSION_CHECK', read('VERSION_CHECK', 'on')),
      idempotency: isOn('IDEMPOTENCY', read('IDEMPOTENCY', 'on')),
    },
    limits: defaultLimits,
  }
}

function wholeNumber(name: string, text: string, max: number): number {
  if (/^\d{1,7}$/.test(text) && Number(text) <= max) return Number(text)
  throw new ConfigError(`${name} must be a whole number from 0 to ${max}, but is ${JSON.stringify(text)}`)
}

function oneOf<const Choice extends string>(name: string, text: string, choices: readonly Choice[]): Choice {
  const choice = choices.find((candidate) => candidate === text)
  if (choice !== undefined) return choice
  throw new ConfigError(`${name} must be one of ${choices.join(', ')}, but is ${JSON.stringify(text)}`)
}

function isOn(name: string, text: string): boolean {
  return oneOf(name, text, ['on', 'off']) === 'on'
}

/** The value is not repeated in the message: a database URL may carry a password. */
function sqliteFile(url: string): string {
  const file = /^sqlite:(?:\/\/(?=\/))?(?!\/\/)([^?#]+)$/.exec(url)?.[1]
  if (file === undefined) {
    throw new ConfigError('DATABASE_URL must be sqlite:<path of a file>; no other database is supported yet')
  }
  if (file === ':memory:') {
    throw new ConfigError('DATABASE_URL must name a file: what is in :memory: does not outlive a restart')
  }
  return file
}
