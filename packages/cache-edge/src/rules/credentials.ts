import { CREDENTIAL_HEADERS, type HeaderFields } from '@x/cache-core/suite'
import { PolicyInvalid } from './policy-invalid.js'

/** One pair of a cookie-string (RFC 6265 §4.2.1). Pairs that parsers read in different ways do not match, so they count as credentials. */
const COOKIE = /^[ \t]*(?<name>[!#$%&'*+\-.^_`|~\dA-Za-z]+)=(?:[!#-+\--:<-[\]-~]*|"[!#-+\--:<-[\]-~]*")[ \t]*$/
const NO_COOKIE = /^[ \t]*$/

/** Options of {@link Credentials}, which detects requests with credentials. */
export interface CredentialOptions {
  /** Names of cookies that no response depends on. */
  readonly ignoreCookies?: readonly string[] | undefined
  /** Names of further credential headers beside {@link CREDENTIAL_HEADERS}, in any case. */
  readonly credentialHeaders?: readonly string[] | undefined
}

/** Detects requests with credentials: a credential header, or a cookie that `ignoreCookies` does not name. */
export class Credentials {
  readonly #ignored: ReadonlySet<string>
  readonly #names: ReadonlySet<string>
  /** For each length, whether a credential header has a name of this length; a header name of another length needs no look-up. */
  readonly #lengths: readonly boolean[]

  constructor ({ ignoreCookies = [], credentialHeaders = [] }: CredentialOptions = {}) {
    this.#ignored = new Set(ignoreCookies)
    this.#names = new Set([...CREDENTIAL_HEADERS, ...credentialHeaders.map((name) => name.toLowerCase())])
    const lengths = new Set([...this.#names].map((name) => name.length))
    this.#lengths = Array.from({ length: Math.max(...lengths) + 1 }, (_, length) => lengths.has(length))
  }

  /**
   * Whether these headers have credentials.
   * @param headers as the client sent them, with names in lower case
   */
  isIn (headers: HeaderFields): boolean {
    // The loop runs over the headers of the request, since a request has fewer headers than there are names of credential headers.
    for (const name in headers) if (this.#lengths[name.length] === true && this.#names.has(name) && headers[name] !== undefined) return true
    const { cookie } = headers
    if (cookie === undefined) return false
    return String(cookie).split(';').some((pair) => this.#isCredential(pair))
  }

  /** The names of the credential headers and cookies in these headers; a cookie that parsers read in different ways has no name. */
  namesIn (headers: HeaderFields): string[] {
    const cookies = String(headers.cookie ?? '').split(';').filter((pair) => this.#isCredential(pair))
    return [
      ...[...this.#names].filter((name) => headers[name] !== undefined).map((name) => `header ${name}`),
      ...cookies.map((pair) => {
        const name = COOKIE.exec(pair)?.groups!.name
        return name === undefined ? 'unreadable cookie' : `cookie ${name}`
      })
    ]
  }

  #isCredential (pair: string): boolean {
    const name = COOKIE.exec(pair)?.groups!.name
    return name === undefined ? !NO_COOKIE.test(pair) : !this.#ignored.has(name)
  }

  /**
   * Refuses a `vary` with a credential header, since it would select a stored response by credentials.
   * @param route the name of the route, for the message
   * @throws `CACHE_ERR_POLICY_INVALID`
   */
  refuseIn (route: string, vary: readonly string[]): void {
    const credential = vary.find((name) => name === 'cookie' || this.#names.has(name))
    if (credential !== undefined) throw new PolicyInvalid(route, `vary: "${credential}" selects a response per client, and store is for responses that clients share`)
  }
}

const haveCertificates = new WeakMap<object, boolean>()

/** Whether the client sent a TLS certificate on this connection, trusted or not. Evaluated once per connection. */
export function hasCertificate ({ raw: { socket } }: { readonly raw: { readonly socket: object } }): boolean {
  const { authorized, getPeerCertificate } = socket as { authorized?: boolean; getPeerCertificate?: () => object | null }
  if (authorized === undefined || getPeerCertificate === undefined) return false
  let has = haveCertificates.get(socket)
  if (has === undefined) {
    has = authorized || Object.keys(getPeerCertificate.call(socket) ?? {}).length > 0
    haveCertificates.set(socket, has)
  }
  return has
}
