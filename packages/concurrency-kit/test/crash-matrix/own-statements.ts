import type { Knex } from 'knex'
import type { Heard, Moment } from './points.ts'

interface Prepared {
  [verb: string]: (...bindings: unknown[]) => unknown
}

interface Connection {
  prepare(sql: string): Prepared
}

/** The statements of this process on its SQLite file, which no line sees; before or after one of them it kills itself. */
export class OwnStatements {
  heard: Heard[] = []
  #trap: { readonly statement: number; readonly moment: Moment } | undefined

  static async of(knex: Knex): Promise<OwnStatements> {
    const statements = new OwnStatements()
    const connection = await knex.client.acquireConnection()
    statements.watch(connection)
    knex.client.releaseConnection(connection)
    return statements
  }

  /** Watches a connection, or all of them by their prototype. */
  watch(connection: Connection): void {
    const { prepare } = connection
    const watched = this.#watched.bind(this)
    connection.prepare = function (this: Connection, sql) {
      return watched(sql, prepare.call(this, sql))
    }
  }

  arm(trap?: { readonly statement: number; readonly moment: Moment }): void {
    this.heard = []
    this.#trap = trap
  }

  #watched(sql: string, prepared: Prepared): Prepared {
    for (const verb of ['all', 'get', 'run', 'iterate']) {
      const run = prepared[verb]?.bind(prepared)
      if (run === undefined) continue
      prepared[verb] = (...bindings) => {
        const statement = this.heard.push({ place: 'store', text: sql }) - 1
        this.#mayDie(statement, 'before')
        const answer = run(...bindings)
        this.#mayDie(statement, 'after')
        return answer
      }
    }
    return prepared
  }

  #mayDie(statement: number, moment: Moment): void {
    if (this.#trap?.statement === statement && this.#trap.moment === moment) process.kill(process.pid, 'SIGKILL')
  }
}
