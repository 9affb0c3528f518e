import { describe } from 'vitest'
import { onRedisAndPostgres } from '../../concurrency-kit/test/support/engines.ts'
import { composition } from './composition-suite.ts'
import { httpContract } from './http-contract.ts'
import { operation } from './operation-suite.ts'
import { redisAndPostgres } from './support/real-engines.ts'

onRedisAndPostgres.describe('on Redis and Postgres', () => {
  describe('the contract', () => httpContract(redisAndPostgres))
  describe('operation', () => operation(redisAndPostgres))
  describe('composition', () => composition(redisAndPostgres))
})
