import { MAX_HISTORY } from '@x/cache-core/suite'
import type { Result } from 'ioredis'
import type { Client } from '../connection/client.js'
import { TEXT } from '../entries/scripts.js'

declare module 'ioredis' {
  // The methods that `defineRolloutScripts` adds to an ioredis client, one per Lua script; each has a form that returns buffers.
  interface RedisCommander<Context> {
    cacheRolloutNow (state: string): Result<[seconds: number, microseconds: number], Context>
    cacheRolloutRead (key: string, maxBytes: number): Result<string | null, Context>
    cacheRolloutReadBuffer (key: string, maxBytes: number): Result<Buffer | null, Context>
    cacheRolloutReplace (
      state: string, history: string, text: string, expected: string, maxBytes: number, channel: string, ...record: string[]
    ): Result<number, Context>
    cacheRolloutLead (lease: string, processId: string, ttlMs: number): Result<number, Context>
    cacheRolloutResign (lease: string, processId: string): Result<number, Context>
    cacheRolloutEvidence (lease: string, evidence: string, processId: string, bytes: Buffer): Result<number, Context>
    cacheRolloutReport (report: string, processId: string, counts: Buffer, lifetimeMs: number): Result<number, Context>
    cacheRolloutReporters (report: string): Result<string[] | null, Context>
  }
}

/** The maximum number of processes whose counts of one minute of the rollout are stored. */
export const MAX_REPORTERS = 1024
/** The longest lease of the decider, in milliseconds; a longer lease was not written by this package. */
export const MAX_LEASE_MS = 600_000

/**
 * Lua code that returns the first bytes of a string. The result is false if the key does not exist. If the key has another type, it is '',
 * which is no valid document.
 */
const PART = `local function part(key, max)
  local bytes = redis.pcall('GETRANGE', key, 0, max)
  if type(bytes) == 'table' then
    if string.find(bytes.err, 'WRONGTYPE', 1, true) then return '' end
    return redis.call('GETRANGE', key, 0, max)
  end
  if bytes == '' and redis.call('PTTL', key) == -2 then return false end
  return bytes
end`

/** Lua code that runs a command on a Redis key, after removing a value of another type. */
const REPAIRED = `local function repaired(command, key, ...)
  local reply = redis.pcall(command, key, ...)
  if type(reply) ~= 'table' or not reply.err then return reply end
  if string.find(reply.err, 'WRONGTYPE', 1, true) then redis.call('UNLINK', key) end
  return redis.call(command, key, ...)
end`

/**
 * The Lua scripts of the rollout; all their Redis keys have one Cluster slot. Keys to which foreign software gave another type are
 * replaced.
 */
const SCRIPTS = {
  /** Returns the time of the Redis server that has the rollout's keys, since each server of a Cluster has its own clock. */
  cacheRolloutNow: { numberOfKeys: 1, lua: "return redis.call('TIME')" },
  /** Returns at most ARGV[1] + 1 bytes of a document, so that a longer document of foreign software is not transferred as a whole. */
  cacheRolloutRead: { numberOfKeys: 1, lua: `${PART}\nreturn part(KEYS[1], ARGV[1])` },
  /**
   * Replaces the state document by ARGV[1] if the SHA-1 of the stored text is ARGV[2] ('': if none is stored). Adds the record ARGV[5] to
   * the history and publishes to the channel ARGV[4]. Returns 0 if nothing was replaced, 2 if the document was replaced and PUBLISH was
   * refused, else 1. LTRIM runs first, since at its memory limit Redis accepts the writes of a script whose first write needs no memory. An
   * operator can therefore stop a rollout even if Redis is full.
   */
  cacheRolloutReplace: {
    numberOfKeys: 2,
    lua: `${PART}
${REPAIRED}
local stored = part(KEYS[1], ARGV[3])
local sum = stored and redis.sha1hex(stored) or ''
if sum ~= ARGV[2] then return 0 end
repaired('LTRIM', KEYS[2], 0, ARGV[5] and ${MAX_HISTORY - 2} or ${MAX_HISTORY - 1})
if ARGV[5] then redis.call('LPUSH', KEYS[2], ARGV[5]) end
redis.call('SET', KEYS[1], ARGV[1])
local heard = redis.pcall('PUBLISH', ARGV[4], '')
return type(heard) == 'table' and 2 or 1`
  },
  /**
   * Gives the decider's lease to the process ARGV[1] for ARGV[2] ms; returns 0 if another process holds it. A lease without an expiry, or
   * with a longer one than this package sets, counts as free.
   */
  cacheRolloutLead: {
    numberOfKeys: 1,
    lua: `${TEXT}
local holder = text(KEYS[1])
if holder and holder ~= ARGV[1] then
  local left = redis.call('PTTL', KEYS[1])
  if left >= 0 and left <= ${MAX_LEASE_MS} then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`
  },
  cacheRolloutResign: {
    numberOfKeys: 1,
    lua: `${TEXT}
if text(KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('UNLINK', KEYS[1])`
  },
  /** Stores the decider's evidence ARGV[2] if the process ARGV[1] holds the lease; returns 0 if it does not. */
  cacheRolloutEvidence: {
    numberOfKeys: 2,
    lua: `${TEXT}
if text(KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2])
return 1`
  },
  /** Stores the counts ARGV[2] of process ARGV[1] in one minute for ARGV[3] ms; returns 0 if too many processes have stored counts. */
  cacheRolloutReport: {
    numberOfKeys: 1,
    lua: `${REPAIRED}
if repaired('HLEN', KEYS[1]) >= ${MAX_REPORTERS} and redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1`
  },
  /** Returns the names of the processes that stored counts for one minute; false if there are more than this package stores. */
  cacheRolloutReporters: {
    numberOfKeys: 1,
    lua: `local count = redis.pcall('HLEN', KEYS[1])
if type(count) == 'table' then
  if string.find(count.err, 'WRONGTYPE', 1, true) then return {} end
  return redis.call('HLEN', KEYS[1])
end
if count > ${MAX_REPORTERS} then return false end
return redis.call('HKEYS', KEYS[1])`
  }
} as const

/** Adds the Lua scripts of the rollout to a client as methods. */
export function defineRolloutScripts (client: Client): void {
  for (const [name, { numberOfKeys, lua }] of Object.entries(SCRIPTS)) client.defineCommand(name, { numberOfKeys, lua })
}
