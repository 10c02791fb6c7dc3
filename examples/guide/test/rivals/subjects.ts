import { createRequire } from 'node:module'
import { cacheCore, MemoryCache, type Cache } from '@x/cache-core'
import { createCache as createDedupe } from 'async-cache-dedupe'
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import type { L2CacheDriver } from 'bentocache/types'
import { createCache as createManager } from 'cache-manager'
import { Keyv } from 'cacheable'
import Fastify, { type FastifyPluginCallback } from 'fastify'
import type { Redis } from 'ioredis'

/** A function that loads a value of any type. */
export type Loader = () => Promise<unknown>

/** A cache behind the calls that the claims make. Each value has a ttl of 60 seconds, and its key as its only tag. */
export interface Subject {
  /** Loads a missing value; `undefined`: the package has no such call. */
  load?: (key: string, loader: Loader) => Promise<unknown>
  /** Removes an entry; `undefined`: the package has no such call. */
  remove?: (key: string) => Promise<unknown>
  /** Invalidates a tag; `undefined`: the package has no such call. */
  invalidate?: (tag: string) => Promise<unknown>
  close?: () => Promise<unknown>
}

/** The variant of a subject. `isStale`: it has a stale window of five minutes after the ttl; `isFailing`: each call of its store fails. */
export interface Setup { isStale?: boolean; isFailing?: boolean }

/** The types of the plugin are not imported, since it declares another type of `fastify.cache`. */
export const fastifyCaching = createRequire(import.meta.url)('@fastify/caching') as FastifyPluginCallback<{ privacy?: string; expiresIn?: number }>

async function fail (): Promise<never> {
  throw new Error('The store cannot be reached')
}

async function suite ({ isStale = false, isFailing = false }: Setup): Promise<Subject> {
  const clock = { now: () => Date.now() }
  const failing: Cache = { name: 'failing', get: fail, set: fail, del: fail }
  const app = Fastify()
  await app.register(cacheCore, { clock, implementation: isFailing ? failing : new MemoryCache({ clock }) })
  const stale = isStale ? { staleWhileRevalidate: 300, staleIfError: 300 } : {}
  return {
    load: (key, loader) => app.cache.getOrSet(key, loader, { ttl: 60, tags: [key], ...stale }),
    remove: (key) => app.cache.del(key),
    invalidate: (tag) => app.cache.tags.invalidate(tag),
    close: () => app.close()
  }
}

/** The failing store is the second layer of BentoCache, behind memory: by default BentoCache suppresses errors of a second layer. */
async function bento ({ isStale = false, isFailing = false }: Setup): Promise<Subject> {
  const driver: L2CacheDriver = {
    type: 'l2', namespace: () => driver, get: fail, pull: fail, set: fail, clear: fail, delete: fail, deleteMany: fail, disconnect: async () => {}
  }
  const store = bentostore().useL1Layer(memoryDriver({}))
  if (isFailing) store.useL2Layer({ options: {}, factory: () => driver })
  const cache = new BentoCache({ default: 'main', stores: { main: store } })
  const stale = isStale ? { grace: '5m', timeout: 0 } as const : {}
  return {
    load: (key, factory) => cache.getOrSet({ key, factory, ttl: '60s', tags: [key], ...stale }),
    remove: (key) => cache.delete({ key }),
    invalidate: (tag) => cache.deleteByTag({ tags: [tag] }),
    close: () => cache.disconnectAll()
  }
}

/** cache-manager refreshes before the ttl ends (`refreshThreshold`), and has no stale window after it. */
async function cacheManager ({ isStale = false, isFailing = false }: Setup): Promise<Subject> {
  const stores = isFailing ? [new Keyv({ store: { get: fail, set: fail, delete: fail, clear: fail, opts: {} } })] : [new Keyv()]
  // A store that has no listener for its errors would end the process at the first error.
  for (const store of stores) store.on('error', () => {})
  const cache = createManager({ stores, ...isStale ? { refreshThreshold: 30_000 } : {} })
  return {
    load: (key, loader) => cache.wrap(key, loader, 60_000),
    remove: (key) => cache.del(key)
  }
}

async function dedupe ({ isStale = false, isFailing = false }: Setup): Promise<Subject> {
  const loaders = new Map<string, Loader>()
  const client = { get: fail, set: fail, del: fail, setex: fail } as unknown as Redis
  const storage = isFailing ? { type: 'redis' as const, options: { client } } : { type: 'memory' as const, options: { invalidation: true } }
  const cache = createDedupe({ ttl: 60, stale: isStale ? 300 : 0, storage })
    .define('value', { references: (key: string) => [key] }, (key: string) => loaders.get(key)!())
  return {
    load (key, loader) {
      loaders.set(key, loader)
      return cache.value(key)
    },
    remove: (key) => cache.clear('value', key),
    invalidate: (tag) => cache.invalidate('value', tag)
  }
}

/** The plugin's `fastify.cache` has calls with callbacks for one key, so the subject loads and stores by itself. */
async function caching (): Promise<Subject> {
  return {}
}

/** The packages that are compared, by the name in the table of the README. */
export const SUBJECTS: Readonly<Record<string, (setup: Setup) => Promise<Subject>>> = {
  'this suite': suite,
  BentoCache: bento,
  'cache-manager': cacheManager,
  'async-cache-dedupe': dedupe,
  '@fastify/caching': caching
}
