import type { FastifyRequest } from 'fastify'
import type { IncomingHttpHeaders } from 'node:http'
import { PolicyInvalid } from '../errors.js'

/**
 * Request headers that carry credentials: those of HTTP (RFC 9110 §11), those by which APIs commonly know their clients, and those in
 * which a TLS proxy hands on a client certificate (RFC 9440): also Envoy, the nginx ingress of Kubernetes, AWS load balancers and Azure App Service.
 */
export const CREDENTIAL_HEADERS = [
  'authorization', 'proxy-authorization', 'x-api-key', 'api-key', 'apikey', 'x-auth-token', 'x-access-token',
  'client-cert', 'x-client-cert', 'x-ssl-client-cert', 'x-forwarded-client-cert', 'ssl-client-cert', 'x-amzn-mtls-clientcert', 'x-amzn-mtls-clientcert-leaf', 'x-arr-clientcert'
]

/** One pair of a cookie-string (RFC 6265 §4.2.1), and nothing that other parsers read in another way. */
const COOKIE = /^[ \t]*(?<name>[!#$%&'*+\-.^_`|~\dA-Za-z]+)=(?:[!#-+\--:<-[\]-~]*|"[!#-+\--:<-[\]-~]*")[ \t]*$/
const NO_COOKIE = /^[ \t]*$/

/** Options of {@link Credentials}. */
export interface CredentialOptions {
  /** Names of cookies that change no answer. */
  readonly ignoreCookies?: readonly string[] | undefined
  /** Names of headers that count beside {@link CREDENTIAL_HEADERS}, in any case. */
  readonly credentialHeaders?: readonly string[] | undefined
}

/** Which requests carry credentials: one of the headers, a client certificate, or a cookie that is not known to change nothing. */
export class Credentials {
  readonly #ignored: ReadonlySet<string>
  readonly #names: ReadonlySet<string>

  constructor ({ ignoreCookies = [], credentialHeaders = [] }: CredentialOptions = {}) {
    this.#ignored = new Set(ignoreCookies)
    this.#names = new Set([...CREDENTIAL_HEADERS, ...credentialHeaders.map((name) => name.toLowerCase())])
  }

  /** @param headers as the client sent them, with names in lower case */
  isIn (headers: IncomingHttpHeaders): boolean {
    // A request has fewer headers than there are names of credentials.
    for (const name in headers) if (this.#names.has(name) && headers[name] !== undefined) return true
    const { cookie } = headers
    if (cookie === undefined) return false
    return cookie.split(';').some((pair) => {
      const name = COOKIE.exec(pair)?.groups!.name
      return name === undefined ? !NO_COOKIE.test(pair) : !this.#ignored.has(name)
    })
  }

  /** Throws `CACHE_ERR_POLICY_INVALID` where a stored response would be chosen by credentials; `route` is for the message. */
  refuseIn (route: string, vary: readonly string[]): void {
    const credential = vary.find((name) => name === 'cookie' || this.#names.has(name))
    if (credential !== undefined) throw new PolicyInvalid(route, `vary: "${credential}" makes an answer for each client, and store keeps answers for all`)
  }
}

const haveCertificates = new WeakMap<object, boolean>()

/** Whether the client has shown a certificate on this connection, trusted or not. Asked once per connection. */
export function hasCertificate ({ raw: { socket } }: FastifyRequest): boolean {
  const { authorized, getPeerCertificate } = socket as { authorized?: boolean; getPeerCertificate?: () => object | null }
  if (authorized === undefined || getPeerCertificate === undefined) return false
  let has = haveCertificates.get(socket)
  if (has === undefined) {
    has = authorized || Object.keys(getPeerCertificate.call(socket) ?? {}).length > 0
    haveCertificates.set(socket, has)
  }
  return has
}
