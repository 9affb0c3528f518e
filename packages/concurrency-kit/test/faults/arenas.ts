import type { ArenaOf } from './arena.ts'
import { advisoryLocks, leaseTable } from './arenas/postgres.ts'
import { redis, sentinel } from './arenas/redis.ts'
import { redisCluster } from './arenas/redis-cluster.ts'
import { redlock } from './arenas/redlock.ts'
import { sqlite } from './arenas/sqlite.ts'

export const arenas: readonly ArenaOf[] = [
  { name: 'ioredis, with its data on disk', open: () => redis(true) },
  { name: 'ioredis, without', open: () => redis(false) },
  { name: 'ioredis, Sentinel', open: sentinel },
  { name: 'ioredis Cluster, data on disk', open: () => redisCluster(true) },
  { name: 'ioredis Cluster, without', open: () => redisCluster(false) },
  { name: 'redlock, 3 nodes', open: () => redlock(3) },
  { name: 'redlock, 5 nodes', open: () => redlock(5) },
  { name: 'knex on Postgres', open: leaseTable },
  { name: 'knex on SQLite', open: sqlite },
  { name: 'pg advisory', open: advisoryLocks },
]
