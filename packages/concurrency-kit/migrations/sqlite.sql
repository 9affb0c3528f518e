-- knexIdempotencyStore
CREATE TABLE IF NOT EXISTS "idempotency_records" (
  scope TEXT NOT NULL DEFAULT '',
  idempotency_key TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  status TEXT NOT NULL,
  outcome TEXT,
  result TEXT,
  created_at TEXT NOT NULL,
  expires_at TEXT NOT NULL,
  UNIQUE (scope, idempotency_key)
);
CREATE INDEX IF NOT EXISTS "idempotency_records_expires_at" ON "idempotency_records" (expires_at);

-- knexLeasedIdempotencyStore; in another file than the records above
CREATE TABLE IF NOT EXISTS "leased_idempotency_records" (
  scope TEXT NOT NULL DEFAULT '',
  idempotency_key TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  status TEXT NOT NULL,
  outcome TEXT,
  result TEXT,
  created_at TEXT NOT NULL,
  expires_at TEXT NOT NULL,
  owner TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  lease_ends_at_ms INTEGER NOT NULL,
  UNIQUE (scope, idempotency_key)
);
CREATE INDEX IF NOT EXISTS "leased_idempotency_records_expires_at" ON "leased_idempotency_records" (expires_at);

-- knexLockStore; in another file than the records above
CREATE TABLE IF NOT EXISTS "locks" (
  key TEXT PRIMARY KEY, holder TEXT NOT NULL, ends_at_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS "locks_tokens" (
  id INTEGER PRIMARY KEY CHECK (id = 1), next_token INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS "locks_waiters" (
  key TEXT, waiter TEXT, since_ms INTEGER NOT NULL, ends_at_ms INTEGER NOT NULL, PRIMARY KEY (key, waiter)) WITHOUT ROWID;
