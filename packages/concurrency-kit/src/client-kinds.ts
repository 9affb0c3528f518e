const KINDS = {
  'a postgres.js client': (it: object) => typeof it === 'function' && has(it, 'unsafe', 'begin'),
  'a Knex instance': (it: object) => typeof it === 'function' && has(it, 'raw', 'transactionProvider'),
  'a Knex configuration': (it: object) => typeof Reflect.get(it, 'client') === 'string' && has(it, 'connection'),
  'a node-redis client': (it: object) => has(it, 'sendCommand', 'evalSha'),
  'an ioredis client': (it: object) => has(it, 'sendCommand', 'evalsha'),
  'an instance of redlock': (it: object) => has(it, 'acquire', 'extend') && (has(it, 'clients') || has(it, 'servers')),
  'a pg.Pool': (it: object) => has(it, 'connect', 'totalCount'),
  'a pg.Client': (it: object) => has(it, 'connect', 'connectionParameters'),
  'a better-sqlite3 database': (it: object) => has(it, 'prepare', 'pragma'),
} as const

/**
 * Rejects a known client of the wrong kind and names it: similar method names would let it fail only later.
 *
 * @throws TypeError `given` is another kind of client than `wanted`.
 */
export function expectClient(option: string, wanted: keyof typeof KINDS, given: unknown): void {
  if ((typeof given !== 'object' && typeof given !== 'function') || given === null) return
  const kind = Object.entries(KINDS).find(([, fits]) => fits(given))?.[0]
  // An unknown object may be the caller's own wrapper of a client.
  if (kind !== undefined && kind !== wanted) throw new TypeError(`${option} must be ${wanted}, but is ${kind}`)
}

function has(it: object, ...names: readonly string[]): boolean {
  return names.every((name) => Reflect.get(it, name) !== undefined)
}
