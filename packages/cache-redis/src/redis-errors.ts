import {
  auth, corrupt, isCacheError, outOfMemory, readonly, refused, unavailable, type CacheError
} from '@x/cache-core'

/** A reply or a broken connection as a coded error. The text of the cause never holds a URL: ioredis names host and port only. */
export function toCacheError (operation: string, thrown: unknown): CacheError {
  if (isCacheError(thrown)) return thrown
  const cause = thrown instanceof Error ? withoutSecrets(thrown) : thrown
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  if (/^READONLY|^MISCONF|You can't write against a read only/.test(message)) return readonly(operation, { cause })
  if (/^OOM/.test(message)) return outOfMemory(operation, { cause })
  if (/^(NOAUTH|WRONGPASS)/.test(message)) return auth(operation, { cause })
  if (/^NOPERM/.test(message)) return refused(operation, refusedBy(message), { cause })
  // Redis 7.0 does not say which; later versions answer NOPERM.
  if (message.startsWith("ERR The user executing the script can't")) return refused(operation, 'a command or a key that a script of the cache uses', { cause })
  if (/^WRONGTYPE/.test(message)) return corrupt(operation, 'a key of another type', { cause })
  return unavailable(operation, { cause })
}

/** Whether an error speaks of the connection or the server as a whole, and so for the breaker. */
export function isOutage ({ code }: CacheError): boolean {
  return code === 'CACHE_ERR_UNAVAILABLE' || code === 'CACHE_ERR_TIMEOUT' || code === 'CACHE_ERR_AUTH'
}

/** Replies that speak of a moment, not of the user, the command or the server's kind. */
const PASSING = /^(LOADING|BUSY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|READONLY|UNBLOCKED)/

/** Whether an error is the server's answer, and not one of the connection. */
export function isReply (error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError'
}

/** Whether the server refuses what was asked, for a reason that lasts until an operator ends it. */
export function isRefusal (error: unknown): error is Error {
  return isReply(error) && !PASSING.test(error.message)
}

const REFUSED = 'NOPERM: the user may not use '

/**
 * An error's text for logs: Redis's own text of a refusal (NOPERM) names the user, that of an unknown command its arguments, which
 * are a password where AUTH is unknown.
 */
export function publicText ({ message }: Error): string {
  return message.replace(/NOPERM .*$/s, (text) => `${REFUSED}${refusedBy(text)}`).replace(/, with args beginning with: .*$/s, '')
}

/** The error without the arguments of its command (a key, a value, a password) and the user's name, which replies have. */
export function withoutSecrets (error: Error): Error {
  const message = publicText(error)
  if (message === error.message && !('command' in error)) return error
  return Object.defineProperty(new Error(message), 'name', { value: error.name })
}

/** What a NOPERM reply refuses. */
function refusedBy (message: string): string {
  // The text may have been made fit for logs before.
  if (message.startsWith(REFUSED)) return message.slice(REFUSED.length)
  const command = /'([^']+)' command/.exec(message)?.[1]
  if (command !== undefined) return `the command "${command}" (ACL: +${command})`
  return /channel/i.test(message) ? 'a channel' : 'a key'
}
