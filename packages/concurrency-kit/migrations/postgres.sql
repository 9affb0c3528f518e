-- knexIdempotencyStore, pgIdempotencyStore
CREATE TABLE IF NOT EXISTS "idempotency_records" (
  scope TEXT NOT NULL DEFAULT '',
  idempotency_key TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  status TEXT NOT NULL,
  outcome TEXT,
  result TEXT,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  UNIQUE (scope, idempotency_key)
);
CREATE INDEX IF NOT EXISTS "idempotency_records_expires_at" ON "idempotency_records" (expires_at);

-- knexLeasedIdempotencyStore
CREATE TABLE IF NOT EXISTS "leased_idempotency_records" (
  scope TEXT NOT NULL DEFAULT '',
  idempotency_key TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  status TEXT NOT NULL,
  outcome TEXT,
  result TEXT,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  owner TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  lease_ends_at_ms bigint NOT NULL,
  UNIQUE (scope, idempotency_key)
);
CREATE INDEX IF NOT EXISTS "leased_idempotency_records_expires_at" ON "leased_idempotency_records" (expires_at);

-- knexLockStore
CREATE TABLE IF NOT EXISTS "locks" (
  key text COLLATE "C" PRIMARY KEY, holder text NOT NULL, ends_at_ms bigint NOT NULL);
CREATE SEQUENCE IF NOT EXISTS "locks_tokens";
CREATE TABLE IF NOT EXISTS "locks_waiters" (
  key text COLLATE "C", waiter text, since_ms bigint NOT NULL, ends_at_ms bigint NOT NULL, PRIMARY KEY (key, waiter));
