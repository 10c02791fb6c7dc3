import { isIdLike } from '@x/cache-core/suite'
import type { FastifyRequest } from 'fastify'
import type { Dimensions } from './key-leak/suspects.js'
import { hashKey } from './hash.js'

/** Of one request. More are left out, so that a request with a thousand parameters costs no more. */
const MAX_OF_KIND = { query: 8, param: 4, header: 12, cookie: 8 } as const
type Kind = keyof typeof MAX_OF_KIND

/** Dimensions of one request: of each kind, `user` and `header authorization`, and the host. */
export const MAX_DIMENSIONS = Object.values(MAX_OF_KIND).reduce((sum, max) => sum + max, 3)

/** Names come from clients and are shown to people: plain ones only, and nothing that says who somebody is (as `isLabel` has it). */
const NAME = /^[\w.[\]-]{1,64}$/

/** Of the connection, of this one request, or of no meaning to a handler. */
const MEANINGLESS = new Set([
  'host', 'connection', 'keep-alive', 'content-length', 'content-type', 'transfer-encoding', 'date', 'expect', 'te', 'upgrade', 'via', 'dnt', 'origin', 'referer', 'priority',
  'accept-encoding', 'cache-control', 'pragma', 'if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'if-range', 'range', 'cookie', 'purpose', 'save-data',
  'traceparent', 'tracestate', 'baggage', 'x-request-id', 'x-correlation-id', 'x-forwarded-for', 'x-forwarded-port', 'x-real-ip', 'forwarded', 'upgrade-insecure-requests',
  // Others of these clouds say who asks, and from where.
  'x-amzn-trace-id', 'cf-ray', 'cf-connecting-ip', 'cf-visitor'
])
const MEANINGLESS_KINDS = /^(?:sec-|x-b3-|x-cache-)/

/**
 * What a value loaded for this request may depend on. What cannot be read is left out: an app's own `user`, query or header may throw.
 *
 * @param hasQuery `false` for what is told apart by its host and URL: neither these nor their parts are dimensions then
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

/** The id that authentication plugins leave: of a session, of a token (RFC 7519 §4.1.2), or a bare name. */
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
