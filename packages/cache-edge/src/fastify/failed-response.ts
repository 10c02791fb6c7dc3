import type { FastifyReply } from 'fastify'
import { NO_STORE } from '../rules/policy.js'

const kFailed = Symbol('@x/cache-edge.failed')
/** Fields that some shared caches read in place of `Cache-Control`: targeted fields (RFC 9213 §2.2), and `Surrogate-Control`. */
export const TARGETED = new Set(['cdn-cache-control', 'cloudflare-cdn-cache-control', 'netlify-cdn-cache-control', 'vercel-cdn-cache-control', 'surrogate-control'])
/** Headers that describe one representation. They are removed when an error is sent in place of the response. */
export const OF_RESPONSE = [...TARGETED, 'etag', 'last-modified', 'expires', 'age', 'surrogate-key', 'cache-tag', 'cache-groups']

/** Removes the headers that describe a response, since an error is sent in its place. An error handler may set them again. */
export function removeResponseHeaders (reply: FastifyReply): void {
  (reply as FailedReply)[kFailed] = true
  for (const name of OF_RESPONSE) reply.removeHeader(name)
  // `Cache-Control` is replaced, not removed: without it a cache may store a 404 by heuristics.
  if (reply.hasHeader('cache-control')) reply.header('cache-control', NO_STORE)
}

type FailedReply = FastifyReply & { [kFailed]?: boolean }

/** Whether an error was sent in place of the handler's response. */
export function hasFailed (reply: FastifyReply): boolean {
  return (reply as FailedReply)[kFailed] === true
}
