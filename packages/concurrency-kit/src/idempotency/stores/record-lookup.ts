import type { Signal } from '../../abort.ts'
import { Gathered } from '../../gathered.ts'
import type { Row, Statement } from '../../sql/database.ts'
import { isMalformed } from '../../sql/errors.ts'
import type { FindRequest, RecordKey } from '../idempotency-store.ts'
import type { FoundRecord, RecordStatements } from './record-statements.ts'

/** Records that one statement may look up. */
const MOST_KEYS = 64

interface Request extends RecordKey {
  readonly resolve: (found: FoundRecord | undefined) => void
  readonly reject: (error: unknown) => void
}

/** Looks records up: where the database takes lists, those of one round of the event loop by one statement. */
export class RecordLookup {
  readonly #records: RecordStatements
  readonly #ask: (statement: Statement, signal?: Signal) => Promise<Row[]>
  readonly #gathered = new Gathered<Request>(MOST_KEYS, (requests) => void this.#findAll(requests))

  constructor(records: RecordStatements, ask: (statement: Statement, signal?: Signal) => Promise<Row[]>) {
    this.#records = records
    this.#ask = ask
  }

  find({ scope, key, signal }: FindRequest): Promise<FoundRecord | undefined> {
    // Refused before it is gathered: a scope that the table has no column for is this caller's own mistake.
    this.#records.place({ scope, key })
    if (this.#records.dialect.inList === undefined) return this.#findOne({ scope, key }, signal)
    return new Promise((resolve, reject) => this.#gathered.add(scope, { scope, key, resolve, reject }))
  }

  async #findOne(request: RecordKey, signal?: Signal): Promise<FoundRecord | undefined> {
    return this.#records.found(await this.#ask(this.#records.read(request), signal))
  }

  async #findAll(requests: readonly [Request, ...Request[]]): Promise<void> {
    try {
      const keys = requests.map(({ key }) => key)
      const rows = new Map<unknown, Row>()
      for (const row of await this.#ask(this.#records.readMany(requests[0].scope, keys))) rows.set(row['key'], row)
      const asAsked = new Set(keys)
      // A column such as `uuid` or `citext` gives a key back in its own spelling: then each is looked up by itself.
      const respelt = [...rows.keys()].some((key) => !asAsked.has(key as string))
      for (const request of requests) {
        const row = rows.get(request.key)
        if (row === undefined && respelt) this.#findOne(request).then(request.resolve, request.reject)
        else request.resolve(this.#records.found(row === undefined ? [] : [row]))
      }
    } catch (error) {
      // A key that its column cannot hold fails the whole statement. Looked up one by one, only that key fails.
      const alone = requests.length > 1 && isMalformed(error)
      for (const request of requests) {
        if (alone) this.#findOne(request).then(request.resolve, request.reject)
        else request.reject(error)
      }
    }
  }
}
