import type { FastifyRequest } from 'fastify'
import { hashKey } from './hash.js'

/** Hashes of what a value may depend on, by name: `user`, `query sort`, `header accept-language`, `cookie theme`. */
export type Dimensions = Record<string, number>

/** Dimensions of one request; more are left out, in the order of the list above. */
export const MAX_DIMENSIONS = 16

/** Of the connection, of this one request, or of no meaning to a handler. */
const MEANINGLESS = new Set([
  'host', 'connection', 'keep-alive', 'content-length', 'content-type', 'transfer-encoding', 'date', 'expect', 'te', 'upgrade', 'via', 'dnt', 'origin', 'referer', 'priority',
  'accept-encoding', 'cache-control', 'pragma', 'if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'if-range', 'range', 'cookie', 'purpose', 'save-data',
  'traceparent', 'tracestate', 'baggage', 'x-request-id', 'x-correlation-id', 'x-forwarded-for', 'x-forwarded-port', 'x-real-ip', 'forwarded', 'upgrade-insecure-requests'
])
const MEANINGLESS_KINDS = /^(?:sec-|x-b3-|x-amzn-|x-cache-|cf-)/

/** What a value loaded for this request may depend on. `hasQuery: false` for what is told apart by its URL. */
export function dimensionsOf (request: FastifyRequest, hasQuery: boolean): Dimensions {
  const dimensions: Dimensions = {}
  let left = MAX_DIMENSIONS
  const add = (name: string, value: unknown): void => {
    if (left <= 0 || (typeof value !== 'string' && typeof value !== 'number')) return
    dimensions[name] = hashKey(String(value))
    left--
  }
  add('user', (request as { user?: { id?: unknown } | null }).user?.id)
  const { headers } = request.raw
  add('header authorization', headers.authorization)
  if (hasQuery) for (const [name, value] of Object.entries(request.query as object)) add(`query ${name}`, Array.isArray(value) ? value.join() : value)
  for (const [name, value] of Object.entries(headers)) {
    if (name !== 'authorization' && !MEANINGLESS.has(name) && !MEANINGLESS_KINDS.test(name)) add(`header ${name}`, Array.isArray(value) ? value.join() : value)
  }
  for (const pair of headers.cookie?.split(';') ?? []) {
    const at = pair.indexOf('=')
    if (at > 0) add(`cookie ${pair.slice(0, at).trim()}`, pair.slice(at + 1).trim())
  }
  return dimensions
}
