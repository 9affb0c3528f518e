import { Script } from '../../ioredis/script.ts'

/** How the lock key reads while the key is kept for the waiter whose turn it is. */
export const TURN = 'next:'

/**
 * KEYS: the lock, the counter of fencing tokens, the queue of waiters.
 * ARGV: holder, ttlMs, number of tokens, waiter or '', ms after which the queue is forgotten.
 * Returns { 1, first token as text }, or { 0, ms until the lock expires: -1 if never }.
 *
 * A waiter that is refused is queued. The counter is the next token, and never behind the clock's microseconds: one that
 * was lost goes on above all that it gave. Tokens are compared and counted as text, as Lua's numbers end at 2^53.
 */
export const acquire = new Script(`
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
  local current = redis.call('GET', KEYS[1])
  if current ~= ARGV[1] and current ~= '${TURN}' .. ARGV[4] then
    if ARGV[4] ~= '' then
      local time = redis.call('TIME')
      redis.call('ZADD', KEYS[3], 'NX', time[1] .. string.format('%06d', time[2]), ARGV[4])
      redis.call('PEXPIRE', KEYS[3], ARGV[5])
    end
    return { 0, redis.call('PTTL', KEYS[1]) }
  end
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
local time = redis.call('TIME')
local now = time[1] .. string.format('%06d', time[2])
local first = redis.call('GET', KEYS[2])
if not first or #first < #now or (#first == #now and first < now) then
  first = now
  redis.call('SET', KEYS[2], now)
end
redis.call('INCRBY', KEYS[2], ARGV[3])
return { 1, first }
`)

/**
 * KEYS: the lock. ARGV: holder, ttlMs. Returns 1, or 0 if the holder does not hold it.
 */
export const extend = new Script(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`)

/**
 * KEYS: the lock, the queue of waiters.
 * ARGV: holder, waiter or '', channel, ms for which the lock is kept for the next in the queue.
 * Returns 1, or 0 if the holder did not hold it.
 *
 * The waiter leaves the queue, and gives its turn on if it has it. The announcement names whose turn it is, and who comes
 * after: empty where nobody is queued.
 */
export const release = new Script(`
if ARGV[2] ~= '' then redis.call('ZREM', KEYS[2], ARGV[2]) end
local current = redis.call('GET', KEYS[1])
local held = current == ARGV[1]
if not held and current ~= '${TURN}' .. ARGV[2] then return 0 end
local next = redis.call('ZPOPMIN', KEYS[2])[1]
if next then
  redis.call('SET', KEYS[1], '${TURN}' .. next, 'PX', ARGV[4])
  redis.call('PUBLISH', ARGV[3], next .. ' ' .. (redis.call('ZRANGE', KEYS[2], 0, 0)[1] or ''))
else
  redis.call('DEL', KEYS[1])
  redis.call('PUBLISH', ARGV[3], '')
end
return held and 1 or 0
`)
