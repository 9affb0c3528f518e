import type { TestProject } from 'vitest/node'
import { dockerAnswers, startPostgres, startRedis } from './containers.ts'

export interface Engines {
  /** Of servers that run for the whole of the tests; undefined where none can be had. */
  readonly redisUrl: string | undefined
  readonly postgresUrl: string | undefined
  /** Whether tests can start servers of their own. */
  readonly docker: boolean
}

declare module 'vitest' {
  interface ProvidedContext {
    engines: Engines
  }
}

/**
 * One Redis and one Postgres for all tests: those of `REDIS_URL` and `DATABASE_URL`, or in containers.
 *
 * Without Docker the suites that need it are skipped; with `CI=true` that fails the run.
 */
export default async function setUp(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const { REDIS_URL: redisUrl, DATABASE_URL: postgresUrl, CI } = process.env
  const docker = dockerAnswers()
  if (!docker && CI === 'true') throw new Error('no Docker engine answers: with CI=true every suite must run')
  if (!docker) {
    const given = [redisUrl && 'REDIS_URL', postgresUrl && 'DATABASE_URL'].filter(Boolean).join(' and ')
    console.log(`No Docker engine answers: suites that need it are skipped${given && `, those for ${given} run`}.`)
    project.provide('engines', { redisUrl, postgresUrl, docker })
    return undefined
  }
  const [redis, postgres] = await Promise.all([
    redisUrl === undefined ? startRedis() : undefined,
    postgresUrl === undefined ? startPostgres() : undefined,
  ])
  project.provide('engines', {
    redisUrl: redisUrl ?? `redis://127.0.0.1:${redis?.ports[0]}`,
    postgresUrl: postgresUrl ?? postgres?.url,
    docker,
  })
  return async () => {
    await Promise.all([redis?.stop(), postgres?.stop()])
  }
}
