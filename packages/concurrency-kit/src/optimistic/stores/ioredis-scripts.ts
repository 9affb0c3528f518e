import { Script } from '../../ioredis/script.ts'

/*
 * A row is a hash of `value`, JSON text, and `version`. Each write leaves a mark under a name of its own for as long as its
 * caller waits: the client may send it a second time after a reconnect, and is then told what the first came to.
 */

/**
 * KEYS: the row. Returns { value, version }, or nulls where there is none.
 */
export const read = new Script(`return redis.call('HMGET', KEYS[1], 'value', 'version')`)

/**
 * KEYS: the row, the mark of this write. ARGV: expected version, next version, value, ms to keep the mark.
 * Returns 1, or 0 if the row has another version or is missing.
 */
export const compareAndSet = new Script(`
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return redis.call('EXISTS', KEYS[2]) end
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'value', ARGV[3])
redis.call('SET', KEYS[2], '', 'PX', ARGV[4])
return 1
`)

/**
 * KEYS: the row, the mark of this write. ARGV: value, ms to keep the mark. Returns 1, or 0 if there is such a row.
 *
 * Versions begin at the microseconds of the server's clock: above those of a row that was there before.
 */
export const insert = new Script(`
if redis.call('EXISTS', KEYS[2]) == 1 then return 1 end
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], 'version', time[1] .. string.format('%06d', time[2]), 'value', ARGV[1])
redis.call('SET', KEYS[2], '', 'PX', ARGV[2])
return 1
`)

/**
 * KEYS: the row, the mark of this write. ARGV: ms to keep the mark. Returns 1, or 0 if there was no such row.
 */
export const remove = new Script(`
if redis.call('EXISTS', KEYS[2]) == 1 then return 1 end
if redis.call('DEL', KEYS[1]) == 0 then return 0 end
redis.call('SET', KEYS[2], '', 'PX', ARGV[1])
return 1
`)
