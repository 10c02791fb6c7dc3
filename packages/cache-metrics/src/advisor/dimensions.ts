import { isIdLike } from '@x/cache-core/suite'
import type { FastifyRequest } from 'fastify'
import type { Dimensions } from './key-leak/suspects.js'
import { hashKey } from './hash.js'

/**
 * The maximum number of dimensions of each kind that are read of one request, so that a request with a thousand parameters costs no more
 * than others.
 */
const MAX_OF_KIND = { query: 8, param: 4, header: 12, cookie: 8 } as const
type Kind = keyof typeof MAX_OF_KIND

/** The maximum number of dimensions per request: the sum over the kinds, and one each for `user`, `header authorization` and the host. */
export const MAX_DIMENSIONS = Object.values(MAX_OF_KIND).reduce((sum, max) => sum + max, 3)

/**
 * Matches names of dimensions that a report may show. Clients choose names, so only plain names are allowed. `isIdLike` excludes ids.
 */
const NAME = /^[\w.[\]-]{1,64}$/

/** Headers that describe the connection or the single request, or do not affect a handler, so they are no dimensions. */
const MEANINGLESS = new Set([
  'host', 'connection', 'keep-alive', 'content-length', 'content-type', 'transfer-encoding', 'date', 'expect', 'te', 'upgrade', 'via', 'dnt', 'origin', 'referer', 'priority',
  'accept-encoding', 'cache-control', 'pragma', 'if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'if-range', 'range', 'cookie', 'purpose', 'save-data',
  'traceparent', 'tracestate', 'baggage', 'x-request-id', 'x-correlation-id', 'x-forwarded-for', 'x-forwarded-port', 'x-real-ip', 'forwarded', 'upgrade-insecure-requests',
  // Headers of AWS and Cloudflare about the single request; their other headers describe the client and its location, so they are
  // dimensions.
  'x-amzn-trace-id', 'cf-ray', 'cf-connecting-ip', 'cf-visitor'
])
const MEANINGLESS_KINDS = /^(?:sec-|x-b3-|x-cache-)/

/**
 * Returns the dimensions of a request as hashes: the parts on which its loaded value may depend. A part that throws when it is read is left
 * out.
 * @param hasQuery `false` if host and URL are the key: then neither host and URL nor their parts are dimensions
 */
export function dimensionsOf (request: FastifyRequest, hasQuery: boolean): Dimensions {
  const dimensions: Record<string, number> = {}
  const add = (name: string, read: () => unknown): boolean => {
    const text = attempt(() => textOf(read()))
    if (text !== undefined) dimensions[name] = hashKey(text)
    return text !== undefined
  }
  const addAll = (kind: Kind, from: unknown, isMeant: (name: string) => boolean = () => true): void => {
    let left = MAX_OF_KIND[kind]
    for (const name of attempt(() => Object.keys(from as object)) ?? []) {
      if (left > 0 && isShown(name) && isMeant(name) && add(`${kind} ${name}`, () => (from as Record<string, unknown>)[name])) left--
    }
  }
  const headers = attempt(() => request.raw.headers) ?? {}
  add('user', () => userIdOf((request as { user?: unknown }).user))
  add('header authorization', () => headers.authorization)
  if (hasQuery) {
    addAll('query', attempt(() => request.query))
    addAll('param', attempt(() => request.params))
    add('header host', () => headers.host ?? headers[':authority'])
  }
  addAll('header', headers, (name) => name !== 'authorization' && !MEANINGLESS.has(name) && !MEANINGLESS_KINDS.test(name))
  addAll('cookie', attempt(() => cookiesOf(headers.cookie)))
  return dimensions
}

/**
 * Returns the user id that authentication plugins set: `id` of a session, `sub` of a token (RFC 7519 §4.1.2), or `user` itself if it is no
 * object.
 */
function userIdOf (user: unknown): unknown {
  if (typeof user !== 'object' || user === null) return user === '' || typeof user === 'boolean' ? undefined : user
  const { id, sub } = user as { id?: unknown; sub?: unknown }
  return id ?? sub
}

function isShown (name: string): boolean {
  return NAME.test(name) && !isIdLike(name)
}

function attempt<T> (read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}

function textOf (value: unknown): string | undefined {
  if (Array.isArray(value)) return value.join()
  return ['string', 'number', 'boolean', 'bigint'].includes(typeof value) ? String(value) : undefined
}

function cookiesOf (header: string | undefined): Record<string, string> {
  const cookies: Record<string, string> = Object.create(null)
  for (const pair of header?.split(';') ?? []) {
    const at = pair.indexOf('=')
    if (at > 0) cookies[pair.slice(0, at).trim()] = pair.slice(at + 1).trim()
  }
  return cookies
}
