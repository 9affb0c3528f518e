import type { LeasedIdempotencyStore } from '../../src/idempotency/idempotency-store.ts'
import { memoryIdempotencyStore } from '../../src/idempotency/stores/memory.ts'
import { ISOLATION_LEVELS, type IsolationLevel } from '../../src/sql/isolation-level.ts'
import { sqliteFile } from '../support/sqlite.ts'
import type { Instance, Mode, Opening, Provider } from './charge.ts'
import { ChildInstance } from './child-instance.ts'
import { createLedger, type Ledger, ProviderLedger, SqlLedger } from './ledger.ts'
import { MemoryInstance } from './memory-instance.ts'
import type { StoreName } from './openers.ts'
import type { Kind } from './plan.ts'
import type { Points } from './points.ts'
import type { Postgres, RedisServer } from './servers.ts'
import type { Wire } from './wire.ts'
import { withoutOwners } from './wrong-leases.ts'

export interface Servers {
  readonly postgres: Postgres
  readonly redis: RedisServer
}

/** A store under test, and what can go wrong with it. */
export interface Arena {
  readonly url: string
  readonly ledger: Ledger
  readonly kinds: readonly Kind[]
  /** Whether its statements are known to its processes alone. */
  readonly unseen: boolean
  /** Whether records can have expired without being gone. */
  readonly expires: boolean
  start(points: Points): Promise<Instance>
  wire(points: Points): Promise<Wire | undefined>
  leftovers(): Promise<readonly string[]>
  close(): Promise<void>
}

export interface ArenaOf {
  readonly store: string
  /** The isolation of its transactions, or what it does about a vanished owner. */
  readonly setting: string
  readonly opening: Pick<Opening, 'isolationLevel' | 'onAmbiguous'>
  open(servers: Servers): Promise<Arena>
}

const WIRED: readonly Kind[] = ['SIGKILL', 'cut', 'terminate', 'swallow', 'zombie']

function onPostgres(store: StoreName, isolationLevel: IsolationLevel): ArenaOf {
  return {
    store,
    setting: isolationLevel,
    opening: { isolationLevel },
    open: async ({ postgres }) => {
      const ledger = new SqlLedger(postgres.knex, postgres.used)
      return {
        url: postgres.url,
        ledger,
        kinds: WIRED,
        unseen: false,
        expires: true,
        start: () => ChildInstance.start(store, new ProviderLedger()),
        wire: postgres.wire,
        leftovers: async () => [...(await ledger.leftovers()), ...(await postgres.openTransactions())],
        close: async () => {},
      }
    },
  }
}

const onSqlite: ArenaOf = {
  store: 'knex on SQLite',
  setting: 'one writer',
  opening: {},
  open: async () => {
    const { file, connect, close } = sqliteFile()
    const knex = connect()
    await knex.raw('PRAGMA busy_timeout = 5000')
    await createLedger(knex)
    const ledger = new SqlLedger(knex, { accounts: 0 })
    return {
      url: file,
      ledger,
      kinds: ['SIGKILL'],
      unseen: true,
      expires: true,
      start: () => ChildInstance.start('SQLite', new ProviderLedger()),
      wire: async () => undefined,
      leftovers: () => ledger.leftovers(),
      close,
    }
  },
}

function leased(
  store: string,
  onAmbiguous: Mode,
  reach: (servers: Servers) => Pick<Arena, 'url' | 'wire' | 'kinds'> & {
    /** Expired records, where they are not gone. */
    readonly records?: Ledger
    start(provider: Provider, points: Points): Promise<Instance>
  },
): ArenaOf {
  return {
    store,
    setting: onAmbiguous,
    opening: { onAmbiguous },
    open: async (servers) => {
      const { records, start, ...reached } = reach(servers)
      const ledger = new ProviderLedger(records && ((order) => records.expire(order)))
      return {
        ...reached,
        ledger,
        unseen: false,
        expires: records !== undefined,
        start: (points) => start(ledger.over(points), points),
        leftovers: async () => [],
        close: async () => {},
      }
    },
  }
}

const ioredis = (mode: Mode) =>
  leased('ioredis', mode, ({ redis }) => ({
    url: redis.url,
    wire: redis.wire,
    kinds: WIRED,
    start: (provider) => ChildInstance.start('ioredis', provider),
  }))

const knexLeased = (mode: Mode) =>
  leased('knex, leased', mode, ({ postgres }) => ({
    url: postgres.url,
    wire: postgres.wire,
    kinds: WIRED,
    records: new SqlLedger(postgres.knex, postgres.used, 'leased_idempotency_records'),
    start: (provider) => ChildInstance.start('knex, leased', provider),
  }))

const memory = (mode: Mode) => inMemory('memory', mode, memoryIdempotencyStore)

const inMemory = (name: string, mode: Mode, open: () => LeasedIdempotencyStore) =>
  leased(name, mode, () => {
    const store = open()
    return {
      url: '',
      wire: async () => undefined,
      kinds: ['SIGKILL', 'cut', 'zombie'],
      start: async (provider, points) => new MemoryInstance(store, provider, points),
    }
  })

const MODES: readonly Mode[] = ['rerun', 'refuse', 'probe']

export const arenas: readonly ArenaOf[] = [
  ...(['pg', 'pg, pipelining', 'pg, groupCommit', 'knex'] as const).flatMap((store) =>
    ISOLATION_LEVELS.map((level) => onPostgres(store, level)),
  ),
  onSqlite,
  ...[ioredis, knexLeased, memory].flatMap((of) => MODES.map(of)),
]

/** Stores that are wrong: what the matrix must see. */
export const wrongArenas: readonly ArenaOf[] = [
  onPostgres('record outside', 'read committed'),
  onPostgres('check, then insert', 'read committed'),
  inMemory('without owners', 'rerun', () => withoutOwners(memoryIdempotencyStore())),
]
