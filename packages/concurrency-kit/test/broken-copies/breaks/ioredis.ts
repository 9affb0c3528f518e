import type { Break } from '../break.ts'

const locks = 'test/lock/ioredis.engines.test.ts'
const faults = 'test/lock/ioredis-faults.engines.test.ts'
const cluster = 'test/ioredis/cluster.engines.test.ts'
const lockScripts = 'src/lock/stores/ioredis-scripts.ts'
const announcements = 'src/ioredis/announcements.ts'

/** Of the stores on Redis: with Docker, or the Redis of `REDIS_URL` for those that need no Cluster. */
export const ioredisBreaks: readonly Break[] = [
  {
    pitfall: 'L5',
    what: 'the deadline counts from the answer, without a margin',
    file: 'src/time/renewed-lease.ts',
    find: 'return leaseMs - Math.min(leaseMs / 100 + 2, leaseMs / 2)',
    replace: 'return leaseMs + 50',
    tests: faults,
  },
  {
    pitfall: 'L7',
    what: 'an acquire that failed is not given back',
    file: 'src/lock/key-queue.ts',
    find: '  #abandon(holder: string): void {\n    void',
    replace: '  #abandon(holder: string): void {\n    if (holder === "") void',
    tests: faults,
  },
  {
    pitfall: 'L6',
    what: 'the same holder is refused what it has',
    file: lockScripts,
    find: "if current ~= holder and current ~= '${TURN}' .. waiter then",
    replace: "if current ~= '${TURN}' .. waiter then",
    tests: faults,
  },
  {
    pitfall: 'L9',
    what: 'a script that a server does not know is not sent',
    file: 'src/ioredis/script.ts',
    find: "startsWith('NOSCRIPT')",
    replace: "startsWith('NEVER')",
    tests: cluster,
  },
  {
    pitfall: 'L15',
    what: 'announcements that were missed are not made up for',
    file: announcements,
    find: 'for (const channel of this.#channels.values()) channel.subscribed = false\n    this.#connectLater()',
    replace: '',
    tests: locks,
  },
  {
    pitfall: 'L15',
    what: 'a connection for each store',
    file: announcements,
    find: 'if (existing !== undefined) return existing',
    replace: 'if (existing !== undefined) return new Announcements(client)',
    tests: locks,
  },
  {
    pitfall: 'L15',
    what: 'nobody is woken behind one that died',
    file: 'src/lock/places.ts',
    find: 'else if (after === this.waiter)',
    replace: 'else if (after === "nobody")',
    tests: locks,
  },
  {
    pitfall: 'L19',
    what: 'a write that is sent twice is a conflict with itself',
    file: 'src/optimistic/stores/ioredis-scripts.ts',
    find: "return redis.call('EXISTS', KEYS[2]) end",
    replace: 'return 0 end',
    tests: 'test/optimistic/ioredis.engines.test.ts',
  },
  {
    pitfall: 'L19',
    what: 'completing twice is refused',
    file: 'src/idempotency/stores/ioredis-scripts.ts',
    find: 'if record[2] then return 1 end',
    replace: 'if record[2] then return 0 end',
    tests: 'test/idempotency/ioredis.engines.test.ts',
  },
  {
    pitfall: 'L20',
    what: 'tokens are Lua numbers',
    file: lockScripts,
    find: "redis.call('INCRBY', KEYS[1], granted)",
    replace: "local last = redis.call('INCRBY', KEYS[1], granted)\nfirst = string.format('%.0f', last - granted)",
    tests: locks,
  },
  {
    pitfall: 'L20',
    what: 'a counter that was lost begins at 1',
    file: lockScripts,
    find: 'if not first or #first < #now or (#first == #now and first < now) then\n  first = now',
    replace: "if not first then\n  now = '1'\n  first = now",
    tests: locks,
  },
  {
    pitfall: 'L21',
    what: 'closing a store leaves its connection',
    file: announcements,
    find: 'connection?.disconnect()',
    replace: '',
    tests: faults,
  },
  {
    pitfall: 'L26',
    what: 'the key in braces for a tag',
    file: 'src/ioredis/slots.ts',
    find: '`concurrency-kit:{${this.#tagOf(key)}}:${name}`',
    replace: '`concurrency-kit:{${key}}:${name}`',
    tests: cluster,
  },
  {
    pitfall: 'S8',
    what: 'a row on Redis is written on any version',
    file: 'src/optimistic/stores/ioredis-scripts.ts',
    find: "if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then",
    replace: "if redis.call('EXISTS', KEYS[1]) == 0 then",
    tests: 'test/optimistic/ioredis.engines.test.ts',
  },
  {
    pitfall: 'I12',
    what: 'scope and key run into each other',
    file: 'src/idempotency/stores/ioredis.ts',
    find: '${scope.length}:${scope}${key}',
    replace: '${scope}${key}',
    tests: 'test/idempotency/ioredis.engines.test.ts',
  },
  {
    pitfall: 'I13',
    what: 'commands have no deadline',
    file: 'src/ioredis/bounded-scripts.ts',
    find: 'this.commandMs, this.#environment',
    replace: '5_000, this.#environment',
    tests: 'test/idempotency/ioredis.engines.test.ts',
  },
]
