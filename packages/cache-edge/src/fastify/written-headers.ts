import { joinLines } from '@x/cache-core/suite'
import type { FastifyReply } from 'fastify'
import { DROPPED_FROM_304 } from '../rules/conditional.js'

const kWritten = Symbol('@x/cache-edge.written')
const kFromStore = Symbol('@x/cache-edge.from-store')
const DROPPED_FROM_STORED_304 = new Set([...DROPPED_FROM_304, 'set-cookie'])

/** Response headers that this plugin wrote, with their values before. When the response is recorded, the earlier values count. */
type Written = Map<string, string | undefined>

/**
 * Records the value of a response header before this plugin changes it. No values are recorded for a stored response, since it is not
 * stored again.
 */
export function noteBefore (reply: FastifyReply, name: string): void {
  if (isFromStore(reply)) return
  const own = reply as FastifyReply & { [kWritten]?: Written }
  const written = own[kWritten] ??= new Map()
  if (!written.has(name)) written.set(name, joinLines(reply.getHeader(name)))
}

/** Returns the headers of a reply without the changes that this plugin made. */
export function withoutWritten (
  reply: FastifyReply, headers: Readonly<Record<string, string | string[]>>
): Record<string, string | string[]> {
  const own = { ...headers }
  for (const [name, before] of (reply as FastifyReply & { [kWritten]?: Written })[kWritten] ?? []) {
    if (before === undefined) delete own[name]
    else own[name] = before
  }
  return own
}

/**
 * Records whether the response of a reply is a stored one. The 304 of a stored response has no `Set-Cookie`, and a stored response is not
 * stored again.
 */
export function setFromStore (reply: FastifyReply, isFromStore: boolean): void {
  (reply as FastifyReply & { [kFromStore]?: boolean })[kFromStore] = isFromStore
}

/** Whether the response that a reply sends is a stored one. */
export function isFromStore (reply: FastifyReply): boolean {
  return (reply as FastifyReply & { [kFromStore]?: boolean })[kFromStore] === true
}

/** Removes the header fields that a 304 omits from a reply. */
export function dropBodyFields (reply: FastifyReply): void {
  dropAll(reply, isFromStore(reply) ? DROPPED_FROM_STORED_304 : DROPPED_FROM_304)
}

/** Removes the header fields with these names from a reply. */
export function dropAll (reply: FastifyReply, names: ReadonlySet<string>): void {
  // The loop runs over the headers of the reply, not over the given names, since the reply has fewer of them. For each header that is read
  // by name, Fastify converts the name to lower case.
  for (const name in reply.getHeaders()) {
    if (!names.has(name)) continue
    // The value of a removed header is recorded first, since each header of the handler affects whether the response may be stored;
    // `Set-Cookie`, for example, forbids storing.
    noteBefore(reply, name)
    reply.removeHeader(name)
  }
}
