import type { FastifyCache } from '@x/cache-core'
import { randomBytes } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { TargetUri } from './key.js'
import type { StoredHead } from './stored-response.js'
import { REFRESH } from './visible-headers.js'

/** A background request, for the cache and the target of the one that was answered with what it renews. */
export interface Refresh { readonly cache: FastifyCache; readonly target: TargetUri }

const LOCK_SECONDS = 30
const RETRY_MS = 1000

/** Renews what was served stale: one request per key at a time, across processes, without credentials; nobody waits for it. */
export class Refresher {
  readonly #fastify: FastifyInstance
  readonly #running = new Set<string>()
  /** By a secret that no client can send. */
  readonly #bySecret = new Map<string, Refresh>()

  constructor (fastify: FastifyInstance) {
    this.#fastify = fastify
  }

  /** The refresh that a request is; `undefined`: it came from outside. */
  of (request: FastifyRequest): Refresh | undefined {
    const secret = request.raw.headers[REFRESH]
    return secret === undefined ? undefined : this.#bySecret.get(String(secret))
  }

  /** Begins, unless one is under way. */
  start (request: FastifyRequest, cache: FastifyCache, key: string, target: TargetUri, stale: StoredHead): void {
    const id = key + stale.variant
    if (this.#running.has(id)) return
    this.#running.add(id)
    this.#run(request, cache, key, target, stale)
      .catch((error: unknown) => request.log.warn({ err: error }, 'Cache: a background refresh failed'))
      .finally(() => this.#running.delete(id))
  }

  async #run (request: FastifyRequest, cache: FastifyCache, key: string, target: TargetUri, stale: StoredHead): Promise<void> {
    const headers = headersOf(request, target, stale)
    const lock = await cache.lock(`${key}:refresh`, { ttl: LOCK_SECONDS })
    // Another process is at it. A cache without locks, or one that fails, does not keep it from being done.
    if (lock.ok && lock.value === null) return
    const secret = randomBytes(24).toString('base64url')
    this.#bySecret.set(secret, { cache, target })
    try {
      const { statusCode } = await this.#fastify.inject({ method: 'GET', url: request.originalUrl, headers: { ...headers, [REFRESH]: secret } })
      if (statusCode >= 500) await new Promise((resolve) => { setTimeout(resolve, RETRY_MS).unref() })
    } finally {
      this.#bySecret.delete(secret)
      if (lock.ok) await lock.value?.release()
    }
  }
}

/** What chose the answer, and where it was asked for. */
function headersOf (request: FastifyRequest, target: TargetUri, stale: StoredHead): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = { host: request.raw.headers.host ?? target.host }
  for (const name of stale.vary) {
    const value = request.raw.headers[name]
    if (value !== undefined) headers[name] = value
  }
  if (request.ips !== undefined) {
    headers['x-forwarded-host'] = request.host
    headers['x-forwarded-proto'] = request.protocol
  }
  return headers
}
