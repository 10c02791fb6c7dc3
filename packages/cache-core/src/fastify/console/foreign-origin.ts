import type { FastifyRequest } from 'fastify'

/** Values of `Sec-Fetch-Site` of requests that no other site caused: the page's own, or one that a user entered. */
const OWN = new Set(['same-origin', 'none'])

/**
 * Whether a browser sends a request for the page of another origin, so that cookies or a password of the operator may come with it although
 * the operator did not act. A browser names the origin in `Sec-Fetch-Site` (Fetch Metadata) or, on a connection without TLS, in `Origin`. A
 * client that is no browser sends neither field.
 */
export function isFromForeignOrigin (request: FastifyRequest): boolean {
  const { 'sec-fetch-site': site, origin } = request.headers
  if (site !== undefined) return typeof site !== 'string' || !OWN.has(site)
  if (origin === undefined) return false
  if (!URL.canParse(origin)) return true
  const { protocol, host } = new URL(origin)
  // Some proxies add the default port to the host, which an origin never has.
  const asked = `${protocol}//${request.host}`
  return !URL.canParse(asked) || new URL(asked).host !== host
}
