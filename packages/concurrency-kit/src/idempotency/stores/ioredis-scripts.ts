import { Script } from '../../ioredis/script.ts'

/*
 * A record is a hash, which Redis expires: `fingerprint`, `owner`, `attempt`, `lease_ends_at_ms`, and once it is completed
 * `outcome` and `text`. Milliseconds are far below 2^53, where Lua's numbers end.
 */
const NOW_MS = `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)`

/**
 * KEYS: the record. Returns { fingerprint, outcome, text } of a completed record, nulls otherwise.
 */
export const find = new Script(`return redis.call('HMGET', KEYS[1], 'fingerprint', 'outcome', 'text')`)

/**
 * KEYS: the record. ARGV: owner, fingerprint, leaseMs, ms after which an untouched record expires, '1' to take over.
 * Returns { 'claimed', attempt }, { 'in_progress', fingerprint, ms until its lease ends }, { 'vanished', fingerprint } or
 * { 'completed', fingerprint, outcome, text }.
 */
export const claim = new Script(`
${NOW_MS}
local record = redis.call('HMGET', KEYS[1], 'fingerprint', 'outcome', 'text', 'owner', 'attempt', 'lease_ends_at_ms')
local fingerprint, outcome, owner = record[1], record[2], record[4]
local attempt = '1'
if fingerprint then
  if outcome then return { 'completed', fingerprint, outcome, record[3] } end
  attempt = record[5]
  if owner ~= ARGV[1] then
    local left = record[6] - now
    if left > 0 then return { 'in_progress', fingerprint, left } end
    if ARGV[5] ~= '1' or fingerprint ~= ARGV[2] then return { 'vanished', fingerprint } end
    attempt = string.format('%d', attempt + 1)
  end
end
redis.call('HSET', KEYS[1], 'fingerprint', ARGV[2], 'owner', ARGV[1], 'attempt', attempt,
  'lease_ends_at_ms', string.format('%.0f', now + ARGV[3]))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return { 'claimed', attempt }
`)

const UNLESS_OWNED = `local record = redis.call('HMGET', KEYS[1], 'owner', 'outcome')
if record[1] ~= ARGV[1] then return 0 end`

/**
 * KEYS: the record. ARGV: owner, leaseMs. Returns 1, or 0 if the claim is not the owner's, or completed.
 */
export const renew = new Script(`
${UNLESS_OWNED}
if record[2] then return 0 end
${NOW_MS}
redis.call('HSET', KEYS[1], 'lease_ends_at_ms', string.format('%.0f', now + ARGV[2]))
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 1
`)

/**
 * KEYS: the record. ARGV: owner, outcome, text, retentionMs. Returns 1, also where the owner had completed it before;
 * 0 if the claim is not the owner's.
 */
export const complete = new Script(`
${UNLESS_OWNED}
if record[2] then return 1 end
redis.call('HSET', KEYS[1], 'outcome', ARGV[2], 'text', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
`)

/**
 * KEYS: the record. ARGV: owner. Returns 1, or 0 if the claim is not the owner's, or completed.
 */
export const abandon = new Script(`
${UNLESS_OWNED}
if record[2] then return 0 end
return redis.call('DEL', KEYS[1])
`)
