import {
  auth, corrupt, isCacheError, outOfMemory, readonly, unavailable, type CacheError
} from '@x/cache-core'

/** A reply or a broken connection as a coded error. The text of the cause never holds a URL: ioredis names host and port only. */
export function toCacheError (operation: string, cause: unknown): CacheError {
  if (isCacheError(cause)) return cause
  const message = cause instanceof Error ? cause.message : String(cause)
  if (/^READONLY|^MISCONF|You can't write against a read only/.test(message)) return readonly(operation, { cause })
  if (/^OOM/.test(message)) return outOfMemory(operation, { cause })
  if (/^(NOAUTH|WRONGPASS|NOPERM)/.test(message)) return auth(operation, { cause })
  if (/^WRONGTYPE/.test(message)) return corrupt(operation, 'a key of another type', { cause })
  return unavailable(operation, { cause })
}

/** Whether an error speaks of the connection or the server as a whole, and so for the breaker. */
export function isOutage ({ code }: CacheError): boolean {
  return code === 'CACHE_ERR_UNAVAILABLE' || code === 'CACHE_ERR_TIMEOUT' || code === 'CACHE_ERR_AUTH'
}
