import { MAX_TTL } from '@x/cache-core/implementing'
import { FRAME, HEADER_BYTES, MARK, MAX_OVERHEAD_BYTES, STAMP_AT } from './frame.js'

/** Lua code that reads the string value of a Redis key. The value is false if the key does not exist or has another type. */
export const TEXT = `local function text(key)
  local found = redis.pcall('GET', key)
  if type(found) ~= 'table' then return found end
  if string.find(found.err, 'WRONGTYPE', 1, true) then return false end
  return redis.call('GET', key)
end`

/**
 * Lua code that reads the value of a lock's counter; 0 if there is no counter, or its value is no number below 2^53, up to which a double
 * is exact.
 */
const NUMBER = `${TEXT}
local function number(key)
  local digits = text(key)
  if not digits or #digits > 16 or not string.find(digits, '^%d+$') or tonumber(digits) >= 9007199254740991 then return 0 end
  return tonumber(digits)
end`

/**
 * Microseconds that the counter of a lock's fencing tokens may be ahead of the server's clock. It may be ahead by up to a day, since the
 * clock may have been set back.
 */
const MAX_AHEAD_US = 86_400_000_000

/**
 * The Lua scripts of the cache; each script uses Redis keys of one Cluster slot. Times are passed as durations in milliseconds, so that
 * only the server's clock is used.
 */
export const SCRIPTS = {
  /**
   * Begins a load: returns the header of the frame in the entry's Redis key. An empty key gets the mark ARGV[1] for ARGV[2] ms. An existing
   * mark is shared, so that concurrent loads of several processes can be stored. An entry of plain text gets the header ARGV[3] in front;
   * if ARGV[3] is empty, or the key has another type, the mark replaces the value. Returns the error if the read is refused.
   */
  cacheLease: {
    numberOfKeys: 1,
    lua: `local head = redis.pcall('GETRANGE', KEYS[1], 0, ${HEADER_BYTES - 1})
if type(head) == 'table' then
  if not string.find(head.err, 'WRONGTYPE', 1, true) then return head end
  redis.call('UNLINK', KEYS[1])
  head = ''
end
local isFrame = string.byte(head) == ${FRAME}
if head == '' or not isFrame and ARGV[3] == '' then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return ARGV[1]
end
if not isFrame then
  redis.call('SET', KEYS[1], ARGV[3] .. redis.call('GET', KEYS[1]), 'KEEPTTL')
  return string.sub(ARGV[3], 1, ${HEADER_BYTES})
end
if string.byte(head, 3) == ${MARK} and redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return head`
  },
  /**
   * Stores the entry ARGV[2] for ARGV[3] ms if the entry's Redis key still has a header with the stamp of ARGV[1]; returns 1 if the entry
   * was stored, else 0. A key of another type has no header, so nothing is stored.
   */
  cacheStore: {
    numberOfKeys: 1,
    lua: `local head = redis.pcall('GETRANGE', KEYS[1], 0, ${HEADER_BYTES - 1})
if type(head) == 'table' and not string.find(head.err, 'WRONGTYPE', 1, true) then return head end
if string.sub(head, ${STAMP_AT + 1}) ~= string.sub(ARGV[1], ${STAMP_AT + 1}) then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`
  },
  /**
   * Reads the header and metadata of an entry, and its PTTL; the text is empty for plain JSON. Returns no list if there is no entry, or only
   * a mark.
   */
  cacheHead: {
    numberOfKeys: 1,
    lua: `local head = redis.pcall('GETRANGE', KEYS[1], 0, ${HEADER_BYTES - 1})
if type(head) == 'table' then
  if string.find(head.err, 'WRONGTYPE', 1, true) then return false end
  return head
end
if head == '' then return false end
if string.byte(head) ~= ${FRAME} then return { '', redis.call('PTTL', KEYS[1]) } end
if #head < ${HEADER_BYTES} or string.byte(head, 3) == ${MARK} then return false end
local a, b, c, d = string.byte(head, 5, 8)
local length = math.min(${HEADER_BYTES} + ((a * 256 + b) * 256 + c) * 256 + d, ${MAX_OVERHEAD_BYTES})
return { redis.call('GETRANGE', KEYS[1], 0, length - 1), redis.call('PTTL', KEYS[1]) }`
  },
  /**
   * Sets the lifetime of an entry to ARGV[3] ms, if it still has the header and metadata ARGV[1], which ARGV[2] replaces; both are empty for
   * plain JSON. An entry whose lifetime is 0 is removed. Returns 1, or 0 if there is another entry, or none.
   */
  cacheTouch: {
    numberOfKeys: 1,
    lua: `local head = redis.pcall('GETRANGE', KEYS[1], 0, math.max(#ARGV[1], 1) - 1)
if type(head) == 'table' then
  if string.find(head.err, 'WRONGTYPE', 1, true) then return 0 end
  return head
end
if ARGV[1] == '' and (head == '' or string.byte(head) == ${FRAME}) then return 0 end
if ARGV[1] ~= '' and head ~= ARGV[1] then return 0 end
if tonumber(ARGV[3]) <= 0 then return redis.call('UNLINK', KEYS[1]) end
if ARGV[1] == '' then return redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
redis.call('SET', KEYS[1], ARGV[2] .. redis.call('GETRANGE', KEYS[1], #ARGV[1], -1), 'PX', ARGV[3])
return 1`
  },
  /** Removes the mark ARGV[1], which reserves the place of an entry, if it still exists; returns 1 if it was removed, else 0. */
  cacheUnmark: {
    numberOfKeys: 1,
    lua: `${TEXT}
if text(KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('UNLINK', KEYS[1])`
  },
  /**
   * Sets the expiry of a token to ARGV[2] ms if the expiry is below ARGV[1] ms or missing. Returns the expiry in ms, or -2 if the token
   * does not exist.
   */
  cacheExtend: {
    numberOfKeys: 1,
    lua: `local left = redis.call('PTTL', KEYS[1])
if left == -2 or left >= tonumber(ARGV[1]) then return left end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return tonumber(ARGV[2])`
  },
  /**
   * Replaces the soft part of a token by ARGV[1]; the hard part, before the dot, stays. If the write fails (a full server, a
   * key of another type), the token is removed: its entries are then gone instead of stale, which is always safe.
   */
  cacheSoften: {
    numberOfKeys: 1,
    lua: `local token = redis.pcall('GET', KEYS[1])
if not token then return 0 end
local done = type(token) == 'string' and redis.pcall('SET', KEYS[1], string.match(token, '^[^.]*') .. '.' .. ARGV[1], 'KEEPTTL')
if not done or done.err then redis.call('UNLINK', KEYS[1]) end
return 1`
  },
  /**
   * Replaces the token ARGV[1], which was made on another server, by ARGV[2], made on this one; returns the token that the key
   * then has. Returns 0 if the identity of this server is not ARGV[3], so that an outdated caller does not replace the token of another
   * process. If the write fails, the token is removed, and its entries are no longer valid. A text of another form, or a key of another
   * type, is replaced for any ARGV[1]; the new token then expires after ARGV[4] ms.
   */
  cacheRenew: {
    numberOfKeys: 1,
    lua: `local info = redis.call('INFO', 'server') .. redis.call('INFO', 'replication')
local life = string.match(info, 'run_id:(%w+)') .. ':' .. string.match(info, 'master_replid:(%w+)')
if string.sub(redis.sha1hex(life), 1, 12) ~= ARGV[3] then return 0 end
local token = redis.pcall('GET', KEYS[1])
if not token then return false end
if type(token) == 'table' and not string.find(token.err, 'WRONGTYPE', 1, true) then return token end
local isOwn = type(token) == 'string' and (#token == 20 and string.find(token, '^[%w_-]+$') or
  #token == 33 and string.byte(token, 21) == 46 and string.find(token, '^[%w_-]+%.[%w_-]+$'))
if isOwn and token ~= ARGV[1] then return token end
local done = isOwn and redis.pcall('SET', KEYS[1], ARGV[2], 'KEEPTTL') or redis.pcall('SET', KEYS[1], ARGV[2], 'PX', ARGV[4])
if done.ok then return ARGV[2] end
redis.call('UNLINK', KEYS[1])
return false`
  },
  /**
   * Takes a lock for ARGV[2] ms with ARGV[1], a random text that only the owner knows; returns the fencing token. If the lock is held,
   * returns the negative token of the holder. Returns 0 if the holder that the caller has waited for, whose token is ARGV[3], or a later
   * one has dismissed its waiters. The token is the previous one plus one, and at least the server's time in microseconds, so that it grows
   * even if the counter is lost. A counter more than a day ahead of that time was written by foreign software and is ignored: tokens above
   * 2^53 are not exact. A key of another type, or without an expiry within the longest ttl, does not hold the lock.
   */
  cacheLock: {
    numberOfKeys: 3,
    lua: `${NUMBER}
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local last = number(KEYS[2])
if last > now + ${MAX_AHEAD_US} then last = 0 end
local waited = tonumber(ARGV[3])
local dismissed = number(KEYS[3])
if waited > 0 and waited <= dismissed and dismissed <= last then return 0 end
local isTaken = redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])
if not isTaken then
  local left = redis.call('PTTL', KEYS[1])
  if left >= 0 and left <= ${MAX_TTL * 1000} and text(KEYS[1]) then return -math.max(last, 1) end
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
local token = math.max(last + 1, now)
redis.call('SET', KEYS[2], string.format('%.0f', token), 'PX', 86400000)
return token`
  },
  /**
   * Releases a lock that its owner still holds, and publishes the release to the waiters; returns 1 if the lock was released, else 0.
   * If ARGV[4] is above 0, the waiters are dismissed; for ARGV[4] ms this includes waiters that were not yet subscribed.
   */
  cacheUnlock: {
    numberOfKeys: 3,
    lua: `${NUMBER}
if text(KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('UNLINK', KEYS[1])
local token = number(KEYS[2])
if token > 0 and tonumber(ARGV[4]) > 0 then redis.call('SET', KEYS[3], string.format('%.0f', token), 'PX', ARGV[4]) end
redis.call('PUBLISH', ARGV[2], ARGV[3])
return 1`
  },
  /** Extends a lock that its owner still holds to ARGV[2] ms from now; returns 1 if the lock was extended, else 0. */
  cacheHold: {
    numberOfKeys: 1,
    lua: `${TEXT}
if text(KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`
  }
} as const
