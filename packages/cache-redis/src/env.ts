import { cacheOptionsFromEnv, EnvReader, type Env } from '@x/cache-core'
import { EnvInvalid, readCacheEnv } from '@x/cache-core/suite'
import type { CacheRedisOptions } from './plugin.js'

/**
 * Options of the plugin from `CACHE_REDIS_URL` (or else `REDIS_URL`; commas separate several URLs), `REDIS_MODE`, `REDIS_KEY_PREFIX`,
 * `REDIS_DEFAULT_TTL`, and the variables of the core: `FEATURE_CACHE`, `CACHE_IMPL`, `FEATURE_CACHE_REDIS`, `CACHE_REDIS_ROLLOUT_PERCENT`,
 * `CACHE_PATTERN_WHITELIST`, `CACHE_PATTERNS`. `enabled` is `false` unless the variables choose Redis.
 * @throws `CACHE_ERR_ENV_INVALID` for a value that does not parse
 */
export function redisOptionsFromEnv (env: Env = process.env): CacheRedisOptions {
  const reader = new EnvReader(env)
  const options: CacheRedisOptions = { enabled: readCacheEnv(env).implementation === 'redis' }
  const url = urls(reader, 'CACHE_REDIS_URL') ?? urls(reader, 'REDIS_URL')
  const mode = reader.oneOf('REDIS_MODE', ['single', 'cluster', 'sentinel'])
  const keyPrefix = reader.text('REDIS_KEY_PREFIX')
  const defaultTtl = reader.number('REDIS_DEFAULT_TTL', { min: 1, max: 30 * 24 * 3600 })
  const { rollout, patterns } = cacheOptionsFromEnv(env)
  if (url !== undefined) options.url = url
  if (mode !== undefined) options.mode = mode
  if (keyPrefix !== undefined) options.keyPrefix = keyPrefix
  if (defaultTtl !== undefined) options.defaultTtl = defaultTtl
  if (rollout !== undefined) options.rollout = rollout
  if (patterns !== undefined) options.patterns = patterns
  return options
}

function urls (reader: EnvReader, name: string): string | string[] | undefined {
  const text = reader.text(name)
  if (text === undefined) return undefined
  const parts = text.split(',').map((part) => part.trim())
  // The message does not contain the value: a URL may contain a password.
  if (!parts.every((part) => /^rediss?:\/\//.test(part) && URL.canParse(part))) {
    throw new EnvInvalid(name, 'something else', 'redis://user:password@host:port/db, several separated by commas')
  }
  return parts.length === 1 ? parts[0]! : parts
}
