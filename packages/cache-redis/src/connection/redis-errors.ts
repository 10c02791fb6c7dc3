import { isCacheError, type CacheError } from '@x/cache-core'
import { auth, corrupt, failedReply, outOfMemory, readonly, refused, unavailable } from '@x/cache-core/implementing'

/**
 * Converts an error reply or an error of the connection to a coded error. Neither the text nor the cause of the coded error contains a
 * key, a value, a user or a password.
 */
export function toCacheError (operation: string, thrown: unknown): CacheError {
  if (isCacheError(thrown)) return thrown
  const cause = withoutSecrets(thrown)
  const { message } = cause
  if (/^READONLY|^MISCONF|You can't write against a read only/.test(message)) return readonly(operation, { cause })
  if (/^OOM/.test(message)) return outOfMemory(operation, { cause })
  if (/^(NOAUTH|WRONGPASS)/.test(message)) return auth(operation, { cause })
  if (/^NOPERM/.test(message)) return refused(operation, refusedBy(message), { cause })
  // Redis 7.0 does not name the refused command in the error of a script. Later versions do; `publicText` converts their error to NOPERM.
  if (message.startsWith("ERR The user executing the script can't")) return refused(operation, 'a command or a key that a script of the cache uses', { cause })
  if (/^WRONGTYPE/.test(message)) return corrupt(operation, 'a key of another type', { cause })
  if (isReply(cause) && OF_ONE_KEY.test(message)) return corrupt(operation, 'what a command of the cache cannot work on', { cause })
  return isReply(cause) ? failedReply(operation, message, { cause }) : unavailable(operation, { cause })
}

/** Errors caused by the value of one key: a script cannot read it, it is not a number, or it would become too long. */
const OF_ONE_KEY = /^ERR (.*\buser_script:\d|value is not|hash value is not|increment or decrement|string exceeds)/s

/** Whether an error concerns the connection or the whole server, so that the breaker counts it. */
export function isOutage ({ code }: CacheError): boolean {
  return code === 'CACHE_ERR_UNAVAILABLE' || code === 'CACHE_ERR_TIMEOUT' || code === 'CACHE_ERR_AUTH'
}

/** Replies that describe a temporary state of the server, not the user, the command or the kind of server. */
const PASSING = /^(LOADING|BUSY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|READONLY|UNBLOCKED)/

/** Replies that every command would get, whatever its name and its keys. */
const OF_SERVER = /^(LOADING|BUSY|MASTERDOWN|NOAUTH|WRONGPASS)/

/** Whether an error is a reply about the whole server or the connection, which another command would get, too. */
export function isOfServer (error: Error): boolean {
  return isReply(error) && OF_SERVER.test(error.message)
}

/** Whether an error is a reply of the server, not one of the connection. */
export function isReply (error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError'
}

/** Whether the server refuses the command for a reason that lasts until an operator resolves it. */
export function isRefusal (error: unknown): error is Error {
  return isReply(error) && !PASSING.test(error.message)
}

/** Replies to the first command of a connection that concern the connection or the user, not the command. */
const OF_CONNECTION = /^(NOAUTH|WRONGPASS|NOPERM|DENIED)|max number of clients/

/**
 * Whether the server refuses HELLO itself. ioredis (6.0.0) goes on with RESP2 only after NOPROTO and "unknown command"; after any other
 * refusal it connects again without end.
 */
export function isHelloRefusal (error: Error): boolean {
  const { command } = error as { command?: { name?: unknown } }
  return isRefusal(error) && command?.name === 'hello' && !OF_CONNECTION.test(error.message)
}

const REFUSED = 'NOPERM: the user may not use '
/**
 * The minimum length, in characters, of an argument that is removed: a shorter one is a word of the protocol (`3`, `NX`), or occurs in many
 * texts.
 */
const MIN_ARGUMENT = 3
/** The maximum length of an error text: the texts of Redis are shorter. */
const MAX_TEXT = 500

/**
 * Returns an error's text for logs. The text of a refusal (NOPERM; within a script "ERR ACL failure", since Redis 7.2) names the user, and
 * the text of an unknown command repeats its arguments, for AUTH a password; both are removed. Any argument of the command that a reply
 * repeats is removed, too.
 */
export function publicText (error: Error): string {
  const text = error.message.slice(0, MAX_TEXT)
    .replace(/(NOPERM|ERR ACL failure in script:) .*$/s, (text) => `${REFUSED}${refusedBy(text)}`).replace(/, with args beginning with: .*$/s, '')
  const { command } = error as { command?: { args?: unknown } }
  // The first word of the text is not removed, since it is the kind of the error.
  const kind = /^\S* ?/.exec(text)![0]
  let shown = text.slice(kind.length)
  for (const argument of Array.isArray(command?.args) ? command.args : []) {
    if (typeof argument !== 'string' && !(argument instanceof Uint8Array)) continue
    // An error message of Redis may contain only the beginning of a long argument, so only the beginning is removed from the message.
    const part = String(argument.slice(0, MAX_TEXT))
    if (part.length >= MIN_ARGUMENT) shown = shown.replaceAll(part, '…')
  }
  return kind + shown
}

/**
 * Copies an error without possible secrets: the arguments of its command (a key, a value, a password), the user's name, and nested
 * errors, such as `lastNodeError` in the error of a Cluster.
 */
export function withoutSecrets (thrown: unknown): Error {
  if (!(thrown instanceof Error)) return new Error(typeof thrown === 'string' ? thrown.slice(0, MAX_TEXT) : `a thrown ${typeof thrown}`)
  const { code } = thrown as { code?: unknown }
  const cleaned = new Error(publicText(thrown))
  Object.defineProperty(cleaned, 'name', { value: thrown.name })
  // The stack is removed: it contains the original text of the server.
  Object.defineProperty(cleaned, 'stack', { value: `${cleaned.name}: ${cleaned.message}` })
  return typeof code === 'string' && /^\w+$/.test(code) ? Object.assign(cleaned, { code }) : cleaned
}

/** Returns the command, key or channel that a NOPERM reply refuses. */
function refusedBy (message: string): string {
  // Another function may already have removed the user's name from the text, so both forms are recognised.
  if (message.startsWith(REFUSED)) return message.slice(REFUSED.length)
  const command = /'([^']+)' command/.exec(message)?.[1]
  if (command !== undefined) return `the command "${command}" (ACL: +${command})`
  return /channel/i.test(message) ? 'a channel' : 'a key'
}
