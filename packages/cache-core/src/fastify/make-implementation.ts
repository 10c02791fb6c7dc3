import type { FastifyInstance } from 'fastify'
import { MemoryCache, type MemoryCacheOptions } from '../caches/memory/memory-cache.js'
import { NullCache } from '../caches/null-cache.js'
import type { Cache } from '../contract/cache.js'
import { OptionInvalid, timeout } from '../contract/errors.js'
import { Deadlines } from '../lib/deadlines.js'
import type { Log } from '../lib/harmless.js'
import type { CacheCoreOptions } from './options.js'

/** The time limit, in milliseconds, for closing an implementation. */
const CLOSE_LIMIT_MS = 10_000

/**
 * Makes the implementation that option `implementation` names, or that its function makes.
 * @throws `CACHE_ERR_OPTION_INVALID` for a class, which is easily given in place of an instance
 */
export async function makeImplementation (
  implementation: Exclude<CacheCoreOptions['implementation'], undefined | 'redis' | Cache>, fastify: FastifyInstance, memory: MemoryCacheOptions
): Promise<Cache> {
  if (isClass(implementation)) throw new OptionInvalid('implementation', 'a class', 'an instance of it, or a function that makes one')
  if (typeof implementation === 'function') return await implementation(fastify)
  return implementation === 'memory' ? new MemoryCache(memory) : new NullCache()
}

/** Closes an implementation within a time limit. If closing it fails, the close of the app fails, too. */
export async function closeImplementation (impl: Cache, log: Log): Promise<void> {
  const closing = (async () => { await impl.close?.() })()
  await new Deadlines(CLOSE_LIMIT_MS).bound<void, void | Promise<void>>(closing, () => closing, (ms) => {
    log.warn({ err: timeout('close', ms) }, 'Cache: the implementation could not be closed')
  }, () => closing)
}

/** Whether a function can only be called with `new`: the `prototype` of a class is read-only, and that of no other function. */
function isClass (value: unknown): boolean {
  return typeof value === 'function' && Object.getOwnPropertyDescriptor(value, 'prototype')?.writable === false
}
