import { ConfigError } from './config-error.ts'
import { type DatabaseLocation, databaseLocation, type LocksLocation, locksLocation } from './store-urls.ts'

export interface Config {
  readonly host: string
  readonly port: number
  readonly database: DatabaseLocation
  /** Most connections to a Postgres. */
  readonly poolSize: number
  readonly locks: LocksLocation
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

const defaultLimits: Limits = {
  lockTtlMs: 30_000,
  lockWaitMs: 10_000,
  keyWaitMs: 5_000,
  recordRetentionMs: 24 * 60 * 60 * 1000,
  requestMs: 30_000,
}

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
type LogLevel = (typeof logLevels)[number]

/** @throws ConfigError at the first setting that is wrong. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  // An empty variable counts as unset: that is how shells and compose files leave one out.
  const read = (name: string, fallback: string): string => env[name] || fallback
  return {
    host: read('HOST', '127.0.0.1'),
    port: wholeNumber('PORT', read('PORT', '8080'), 65_535),
    database: databaseLocation(read('DATABASE_URL', 'sqlite:./data/demo.db')),
    poolSize: wholeNumber('DATABASE_POOL', read('DATABASE_POOL', '10'), 100, 1),
    locks: locksLocation(env.REDIS_URL),
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

function wholeNumber(name: string, text: string, max: number, min = 0): number {
  if (/^\d{1,7}$/.test(text) && Number(text) >= min && Number(text) <= max) return Number(text)
  throw new ConfigError(`${name} must be a whole number from ${min} to ${max}, but is ${JSON.stringify(text)}`)
}

function oneOf<const Choice extends string>(name: string, text: string, choices: readonly Choice[]): Choice {
  const choice = choices.find((candidate) => candidate === text)
  if (choice !== undefined) return choice
  throw new ConfigError(`${name} must be one of ${choices.join(', ')}, but is ${JSON.stringify(text)}`)
}

function isOn(name: string, text: string): boolean {
  return oneOf(name, text, ['on', 'off']) === 'on'
}
