import { EnvInvalid } from '../contract/errors.js'
import { shown } from '../contract/shown.js'
import { checkedPattern, type PatternOptions } from '../service/pattern-options.js'
import { isLabel } from '../telemetry/key-pattern.js'
import { ALLOWED_PATTERNS } from '../rollout/rollout-options.js'
import type { CacheCoreOptions } from './options.js'

/** Environment variables: `process.env`, or an object that the app gives. */
export type Env = Readonly<Record<string, string | undefined>>

/**
 * Reads environment variables. A value that does not parse throws `CACHE_ERR_ENV_INVALID` with the name, the value and the allowed values.
 */
export class EnvReader {
  readonly #env: Env

  constructor (env: Env = process.env) {
    this.#env = env
  }

  /** Reads a variable without surrounding blanks; an empty variable counts as not set. */
  text (name: string): string | undefined {
    const value = this.#env[name]?.trim()
    return value === '' ? undefined : value
  }

  /**
   * Reads a boolean: `true` for true and 1, `false` for false and 0.
   * @throws `CACHE_ERR_ENV_INVALID` for any other value
   */
  boolean (name: string): boolean | undefined {
    const value = this.oneOf(name, ['true', 'false', '1', '0'])
    return value === undefined ? undefined : value === 'true' || value === '1'
  }

  /**
   * Reads a variable that has one of the allowed texts.
   * @throws `CACHE_ERR_ENV_INVALID` for any other value
   */
  oneOf<T extends string> (name: string, allowed: readonly T[]): T | undefined {
    const value = this.text(name)
    if (value === undefined || allowed.includes(value as T)) return value as T | undefined
    throw new EnvInvalid(name, JSON.stringify(value), allowed.join(', '))
  }

  /**
   * Reads a decimal number from `min` to `max`, both included.
   * @throws `CACHE_ERR_ENV_INVALID` for any other value
   */
  number (name: string, { min, max, integer = false }: { min: number; max: number; integer?: boolean }): number | undefined {
    const value = this.text(name)
    if (value === undefined) return undefined
    const number = /^[+-]?\d+(\.\d+)?$/.test(value) ? Number(value) : NaN
    if (number >= min && number <= max && (!integer || Number.isInteger(number))) return number
    throw new EnvInvalid(name, JSON.stringify(value), `a ${integer ? 'whole number' : 'number'} from ${min} to ${max}`)
  }

  /**
   * Reads a list separated by commas; blanks around its parts are removed.
   * @throws `CACHE_ERR_ENV_INVALID` for a part that is empty or longer than 64 characters
   */
  list (name: string): string[] | undefined {
    const value = this.text(name)
    if (value === undefined) return undefined
    const parts = value.split(',').map((part) => part.trim())
    if (parts.every((part) => part !== '' && part.length <= 64)) return parts
    throw new EnvInvalid(name, JSON.stringify(value), 'names of 1 to 64 characters, separated by commas')
  }
}

/** The implementation that the environment names, and whether the cache is enabled. */
export interface CacheEnv { enabled: boolean; implementation: 'null' | 'memory' | 'redis' }

/** Reads `FEATURE_CACHE`, `CACHE_IMPL` and `FEATURE_CACHE_REDIS`; if none of these variables is set, the cache is disabled. */
export function readCacheEnv (env: Env = process.env): CacheEnv {
  const reader = new EnvReader(env)
  const feature = reader.boolean('FEATURE_CACHE')
  const impl = reader.oneOf('CACHE_IMPL', ['null', 'memory', 'redis'])
  const redis = reader.boolean('FEATURE_CACHE_REDIS')
  const enabled = feature ?? (impl !== undefined || redis !== undefined)
  if (!enabled || redis === false) return { enabled, implementation: 'null' }
  return { enabled, implementation: redis === true ? 'redis' : impl ?? 'null' }
}

/**
 * Returns the options of the core from `FEATURE_CACHE`, `CACHE_IMPL`, `FEATURE_CACHE_REDIS`, `CACHE_PATTERN_WHITELIST`, `CACHE_PATTERNS`
 * and `CACHE_REDIS_ROLLOUT_PERCENT`. If the environment names Redis, `implementation` is `'redis'`, and the start fails unless
 * `@x/cache-redis` is registered.
 * @throws `CACHE_ERR_ENV_INVALID` for a value that does not parse
 */
export function cacheOptionsFromEnv (env: Env = process.env): CacheCoreOptions {
  const { enabled, implementation } = readCacheEnv(env)
  const reader = new EnvReader(env)
  const allow = reader.list('CACHE_PATTERN_WHITELIST')
  const unmatched = allow?.find((pattern) => pattern !== '*' && !isLabel(pattern))
  if (unmatched !== undefined) throw new EnvInvalid('CACHE_PATTERN_WHITELIST', JSON.stringify(unmatched), ALLOWED_PATTERNS)
  const percent = reader.number('CACHE_REDIS_ROLLOUT_PERCENT', { min: 0, max: 100 })
  const options: CacheCoreOptions = { enabled, implementation }
  const patterns = patternsIn(reader)
  if (patterns !== undefined) options.patterns = patterns
  if (allow !== undefined || (percent !== undefined && implementation === 'redis')) {
    options.rollout = { ...allow === undefined ? {} : { allow }, ...percent === undefined || implementation !== 'redis' ? {} : { percent } }
  }
  return options
}

/** Reads `CACHE_PATTERNS`, the options of key patterns as JSON: `{"user":{"ttl":300}}`. */
function patternsIn (reader: EnvReader): Record<string, PatternOptions> | undefined {
  const allowed = 'a JSON object of options by key pattern, such as {"user":{"ttl":300}}'
  const text = reader.text('CACHE_PATTERNS')
  if (text === undefined) return undefined
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw new EnvInvalid('CACHE_PATTERNS', 'a text that is no JSON', allowed)
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw new EnvInvalid('CACHE_PATTERNS', shown(parsed), allowed)
  return Object.fromEntries(Object.entries(parsed).map(([name, own]) => {
    try {
      return [name, checkedPattern(name, own)]
    } catch (error) {
      throw new EnvInvalid('CACHE_PATTERNS', `wrong options (${(error as Error).message})`, allowed)
    }
  }))
}
