import { expect, test } from 'vitest'
import { readConfig } from '../src/config.ts'
import { ConfigError } from '../src/config-error.ts'

test('without settings: an SQLite file, all guards on', () => {
  expect(readConfig({})).toMatchObject({
    host: '127.0.0.1',
    port: 8080,
    database: { engine: 'sqlite', file: './data/demo.db' },
    poolSize: 10,
    locks: { kind: 'in-process' },
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
    DATABASE_POOL: '2',
    REDIS_URL: 'redis://127.0.0.1',
    SEED_USERS: '0',
    LOG_LEVEL: 'silent',
    LOCK: 'off',
    VERSION_CHECK: 'off',
    IDEMPOTENCY: 'off',
  }
  expect(readConfig(env)).toMatchObject({
    host: '0.0.0.0',
    port: 0,
    database: { engine: 'sqlite', file: '/tmp/x.db' },
    poolSize: 2,
    locks: { kind: 'single', url: 'redis://127.0.0.1' },
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
  ['DATABASE_URL', 'mysql://h/db'],
  ['DATABASE_URL', 'postgres://'],
  ['DATABASE_URL', 'postgres://h:port/db'],
  ['DATABASE_POOL', '0'],
  ['DATABASE_POOL', '101'],
  ['REDIS_URL', 'localhost:6379'],
  ['REDIS_URL', 'redis:h'],
  ['REDIS_URL', 'redis://a,redis://b'],
  ['REDIS_URL', 'redis://a,redis://b,redis://c,redis://d'],
  ['REDIS_URL', 'redis://a,redis://b,redis://a:6379'],
  ['REDIS_URL', 'redis://a,redis://b,redis+cluster://c:1'],
  ['REDIS_URL', 'redis+sentinel://a:1'],
  ['REDIS_URL', 'redis+sentinel://a:1/'],
  ['REDIS_URL', 'redis+sentinel://a/master'],
  ['REDIS_URL', 'redis+sentinel://a:99999/master'],
  ['REDIS_URL', 'redis+cluster://a:1/0'],
  ['REDIS_URL', 'redis+cluster://:%zz@a:1'],
])('%s=%s is refused by name', (name, value) => {
  expect(() => readConfig({ [name]: value })).toThrow(ConfigError)
  expect(() => readConfig({ [name]: value })).toThrow(name)
})

test.each([
  ['one server', 'rediss://:secret@h:6380/2', { kind: 'single', url: 'rediss://:secret@h:6380/2' }],
  [
    'a quorum of three',
    'redis://a, redis://b,redis://c:1',
    { kind: 'quorum', urls: ['redis://a', 'redis://b', 'redis://c:1'] },
  ],
  [
    'Sentinel',
    'redis+sentinel://u:p%40ss@a:1,[::1]:2/the-master',
    {
      kind: 'sentinel',
      sentinels: [
        { host: 'a', port: 1 },
        { host: '::1', port: 2 },
      ],
      master: 'the-master',
      username: 'u',
      password: 'p@ss',
    },
  ],
  [
    'a Cluster by TLS',
    'rediss+cluster://:secret@a:1',
    { kind: 'cluster', nodes: [{ host: 'a', port: 1 }], password: 'secret', tls: true },
  ],
])('REDIS_URL of %s', (_what, url, locks) => {
  expect(readConfig({ REDIS_URL: url }).locks).toEqual(locks)
})

test.each(['postgres', 'postgresql'])('DATABASE_URL of a Postgres: %s://', (scheme) => {
  const url = `${scheme}://u:secret@h:5433/db?sslmode=disable`
  expect(readConfig({ DATABASE_URL: url }).database).toEqual({ engine: 'postgres', url })
})

test.each([
  ['REDIS_URL', 'redis://:secret@a,redis://:secret@b'],
  ['REDIS_URL', 'redis+cluster://:secret@a'],
  ['REDIS_URL', 'redis+sentinel://secret:secret@a:1'],
  ['REDIS_URL', 'http://:secret@a'],
  ['DATABASE_URL', 'postgres://u:secret@h:port/db'],
  ['DATABASE_URL', 'mysql://u:secret@h/db'],
])('no password is repeated when %s=%s is refused', (name, value) => {
  expect(() => readConfig({ [name]: value })).toThrow(new RegExp(`^${name} (?!.*secret)`))
})
