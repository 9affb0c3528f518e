import { Script } from '../../ioredis/script.ts'
import { PLACE_MS, TURN, TURN_MS } from '../places.ts'

/** Calls `serve` for each of the requests, whose answers are `answers`; an error of one does not keep the others. */
const forEachRequest = (keysBefore: number, keys: number, args: number) => `
local answers = {}
for request = 0, #ARGV / ${args} - 1 do
  local key, arg = ${keysBefore} + ${keys} * request, ${args} * request
  local served, status, value = pcall(serve, key, arg)
  if not served then
    status, value = -1, type(status) == 'table' and status.err or status
  end
  answers[#answers + 1], answers[#answers + 2] = status, value
end`

/**
 * KEYS: the counter of fencing tokens; of each request the lock, the queue of waiters.
 * ARGV: of each request holder, ttlMs, number of tokens, waiter or ''.
 * Returns of each request 1 and how far its first token is from the first of all, or 0 and the ms until the lock expires
 * (-1 if never), or -1 and an error; then the first token of all as text, left out if nothing was granted.
 *
 * A waiter that is refused is queued. The counter is the next token, and never behind the clock's microseconds: one that
 * was lost goes on above all that it gave. Tokens are compared and counted as text, as Lua's numbers end at 2^53.
 */
export const acquire = new Script(`
local time = redis.call('TIME')
local now = time[1] .. string.format('%06d', time[2])
local granted = 0
local function serve(key, arg)
  local lock, queue = KEYS[key + 1], KEYS[key + 2]
  local holder, ttl, tokens, waiter = ARGV[arg + 1], ARGV[arg + 2], ARGV[arg + 3], ARGV[arg + 4]
  if not redis.call('SET', lock, holder, 'NX', 'PX', ttl) then
    local current = redis.call('GET', lock)
    if current ~= holder and current ~= '${TURN}' .. waiter then
      if waiter ~= '' then
        redis.call('ZADD', queue, 'NX', now, waiter)
        redis.call('PEXPIRE', queue, ${PLACE_MS})
      end
      return 0, redis.call('PTTL', lock)
    end
    redis.call('SET', lock, holder, 'PX', ttl)
  end
  granted = granted + tokens
  return 1, granted - tokens
end
${forEachRequest(1, 2, 4)}
if granted == 0 then return answers end
local first = redis.call('GET', KEYS[1])
if not first or #first < #now or (#first == #now and first < now) then
  first = now
  redis.call('SET', KEYS[1], now)
end
redis.call('INCRBY', KEYS[1], granted)
answers[#answers + 1] = first
return answers
`)

/**
 * KEYS: the lock. ARGV: holder, ttlMs. Returns 1, or 0 if the holder does not hold it.
 */
export const extend = new Script(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`)

/**
 * KEYS: of each request the lock, the queue of waiters.
 * ARGV: of each request holder, waiter or '', channel.
 * Returns of each request 1 and 0, or 0 and 0 if the holder did not hold it, or -1 and an error.
 *
 * The waiter leaves the queue, and gives its turn on if it has it. The announcement names whose turn it is, and who comes
 * after: empty where nobody is queued.
 */
export const release = new Script(`
local function serve(key, arg)
  local lock, queue = KEYS[key + 1], KEYS[key + 2]
  local holder, waiter, channel = ARGV[arg + 1], ARGV[arg + 2], ARGV[arg + 3]
  if waiter ~= '' then redis.call('ZREM', queue, waiter) end
  local current = redis.call('GET', lock)
  local held = current == holder
  if not held and current ~= '${TURN}' .. waiter then return 0, 0 end
  local next = redis.call('ZPOPMIN', queue)[1]
  if next then
    redis.call('SET', lock, '${TURN}' .. next, 'PX', ${TURN_MS})
    redis.call('PUBLISH', channel, next .. ' ' .. (redis.call('ZRANGE', queue, 0, 0)[1] or ''))
  else
    redis.call('DEL', lock)
    redis.call('PUBLISH', channel, '')
  end
  return held and 1 or 0, 0
end
${forEachRequest(0, 2, 3)}
return answers
`)
