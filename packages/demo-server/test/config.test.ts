import { expect, test } from 'vitest'
import { ConfigError, readConfig } from '../src/config.ts'

test('without settings: an SQLite file, all guards on', () => {
  expect(readConfig({})).toMatchObject({
    host: '127.0.0.1',
    port: 8080,
    databaseFile: './data/demo.db',
    seedUsers: 1000,
    logLevel: 'info',
    switches: { lock: true, versionCheck: true, idempotency: true },
  })
  expect(readConfig({ PORT: '', REDIS_URL: '' })).toEqual(readConfig({}))
})

test('reads every setting', () => {
  const env = {
    HOST: '0.0.0.0',
    PORT: '0',
    DATABASE_URL: 'sqlite:///tmp/x.db',
    SEED_USERS: '0',
    LOG_LEVEL: 'silent',
    LOCK: 'off',
    VERSION_CHECK: 'off',
    IDEMPOTENCY: 'off',
  }
  expect(readConfig(env)).toMatchObject({
    host: '0.0.0.0',
    port: 0,
    databaseFile: '/tmp/x.db',
    seedUsers: 0,
    logLevel: 'silent',
    switches: { lock: false, versionCheck: false, idempotency: false },
  })
})

test.each([
  ['PORT', '80a'],
  ['PORT', '65536'],
  ['PORT', '-1'],
  ['PORT', '8080.0'],
  ['SEED_USERS', '1e3'],
  ['SEED_USERS', '1000001'],
  ['LOG_LEVEL', 'loud'],
  ['LOCK', 'true'],
  ['VERSION_CHECK', '0'],
  ['IDEMPOTENCY', 'OFF'],
  ['DATABASE_URL', 'sqlite:'],
  ['DATABASE_URL', 'sqlite://data/demo.db'],
  ['DATABASE_URL', 'sqlite::memory:'],
  ['DATABASE_URL', './demo.db'],
])('%s=%s is refused by name', (name, value) => {
  expect(() => readConfig({ [name]: value })).toThrow(ConfigError)
  expect(() => readConfig({ [name]: value })).toThrow(name)
})

test('what nothing implements yet is refused, and no password is repeated', () => {
  expect(() => readConfig({ REDIS_URL: 'redis://:secret@h' })).toThrow(/^REDIS_URL is not supported yet(?!.*secret)/)
  expect(() => readConfig({ DATABASE_URL: 'postgres://u:secret@h/db' })).toThrow(/^DATABASE_URL (?!.*secret)/)
})
