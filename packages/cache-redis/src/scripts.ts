import { FRAME, HEADER_BYTES, MARK } from './frame.js'

/**
 * Lua that runs in one slot each. A process names what it needs in milliseconds; the server's own clock decides.
 */
export const SCRIPTS = {
  /**
   * Begins a load: answers the header of what lies in the entry's slot, ARGV[1], a mark that lives for ARGV[2] ms, where nothing
   * does. A mark that is found is shared, so that concurrent loads of several processes can be stored. A plain text has no header:
   * ARGV[3] makes it a frame; without ARGV[3], and in a slot of another type, the mark takes its place. A refusal to read is answered.
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
  /** Stores ARGV[2] for ARGV[3] ms if the slot still has the header ARGV[1]; answers 1 if it does. */
  cacheStore: {
    numberOfKeys: 1,
    lua: `if redis.call('GETRANGE', KEYS[1], 0, ${HEADER_BYTES - 1}) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`
  },
  /** Removes the mark ARGV[1], if it still stands; answers 1 if it did. */
  cacheUnmark: {
    numberOfKeys: 1,
    lua: `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('UNLINK', KEYS[1])`
  },
  /** Lets a token live for at least ARGV[1] ms (for ARGV[2] if it would not); answers how long it will, -2: it is gone. */
  cacheExtend: {
    numberOfKeys: 1,
    lua: `local left = redis.call('PTTL', KEYS[1])
if left < 0 or left >= tonumber(ARGV[1]) then return left end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return tonumber(ARGV[2])`
  },
  /**
   * Replaces the soft part of a token by ARGV[1]; the hard part, before the dot, stays. Where that cannot be written (a full
   * server, a key of another type) the token goes: gone is more than stale, but never wrong.
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
   * Replaces the token ARGV[1], which was made on another server, by ARGV[2], made on this one; answers the token that is there
   * then, or 0 if this is not the server whose fence is ARGV[3]: the caller's knowledge is old, and another process's token
   * must not fall to it. Where nothing can be written the token goes, and with it all that it makes valid.
   */
  cacheRenew: {
    numberOfKeys: 1,
    lua: `local info = redis.call('INFO', 'server') .. redis.call('INFO', 'replication')
local life = string.match(info, 'run_id:(%w+)') .. ':' .. string.match(info, 'master_replid:(%w+)')
if string.sub(redis.sha1hex(life), 1, 12) ~= ARGV[3] then return 0 end
local token = redis.call('GET', KEYS[1])
if token ~= ARGV[1] then return token end
local done = redis.pcall('SET', KEYS[1], ARGV[2], 'KEEPTTL')
if done.ok then return ARGV[2] end
redis.call('UNLINK', KEYS[1])
return false`
  },
  /**
   * Takes a lock for ARGV[2] ms with the owner's mark ARGV[1]; answers the fencing token, minus that of the holder if it is
   * held, or 0 if the holder ARGV[3] or a later one has dismissed who waited. The counter starts at the server's time in
   * microseconds, so a token that follows a forgotten counter is still larger.
   */
  cacheLock: {
    numberOfKeys: 3,
    lua: `local waited = tonumber(ARGV[3])
if waited > 0 and waited <= tonumber(redis.call('GET', KEYS[3]) or 0) then return 0 end
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return -(redis.call('GET', KEYS[2]) or 1) end
local time = redis.call('TIME')
redis.call('SET', KEYS[2], string.format('%.0f', time[1] * 1000000 + time[2]), 'NX')
local token = redis.call('INCR', KEYS[2])
redis.call('PEXPIRE', KEYS[2], 86400000)
return token`
  },
  /**
   * Frees a lock that is still the owner's, and tells who waits; answers 1 if it was. With ARGV[4] ms it dismisses them, and for
   * so long also those who were not listening yet.
   */
  cacheUnlock: {
    numberOfKeys: 3,
    lua: `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('UNLINK', KEYS[1])
local token = redis.call('GET', KEYS[2])
if token and tonumber(ARGV[4]) > 0 then redis.call('SET', KEYS[3], token, 'PX', ARGV[4]) end
redis.call('PUBLISH', ARGV[2], ARGV[3])
return 1`
  },
  /** Holds a lock that is still the owner's for ARGV[2] ms more; answers 1 if it was. */
  cacheHold: {
    numberOfKeys: 1,
    lua: `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`
  }
} as const
