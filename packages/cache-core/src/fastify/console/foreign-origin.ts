import type { FastifyRequest } from 'fastify'

/**
 * Values of `Sec-Fetch-Site` for requests that no other site caused: the console itself sent the request, or the user entered the address.
 */
const OWN = new Set(['same-origin', 'none'])

/**
 * Whether a page of another origin made the browser send this request. Cookies or a password of the operator may come with such a request,
 * although the operator did not act. A browser names the origin in `Sec-Fetch-Site` (Fetch Metadata) or, on a connection without TLS, in
 * `Origin`. A client that is no browser sends neither field.
 */
export function isFromForeignOrigin (request: FastifyRequest): boolean {
  const { 'sec-fetch-site': site, origin } = request.headers
  if (site !== undefined) return typeof site !== 'string' || !OWN.has(site)
  if (origin === undefined) return false
  if (!URL.canParse(origin)) return true
  const { protocol, host } = new URL(origin)
  // Some proxies add the default port to the `Host` field; an `Origin` never has a default port.
  const asked = `${protocol}//${request.host}`
  return !URL.canParse(asked) || new URL(asked).host !== host
}
