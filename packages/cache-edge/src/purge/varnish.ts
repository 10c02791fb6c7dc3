import http, { type RequestOptions } from 'node:http'
import https from 'node:https'
import { urlToHttpOptions } from 'node:url'

/** The value of `X-Ban-Tag` that removes every object of a proxy. */
export const EVERYTHING = '*'
/**
 * The maximum number of tags in one ban, so that the header is shorter than the 8 KB that Varnish allows, and the ban expression stays
 * short.
 */
export const MAX_TAGS_PER_BAN = 32

// Idle connections are closed after 2 s, since Varnish closes them after 5 s, and a request sent at that moment is lost.
const MAX_IDLE_MS = 2000

/** One Varnish instance that runs the VCL of this package. */
export class Varnish {
  /** The host and port of the proxy, for the log. */
  readonly host: string
  readonly #target: RequestOptions
  readonly #timeoutMs: number
  readonly #protocol: typeof http | typeof https

  /**
   * Prepares the connection to the proxy at a URL.
   * @throws for an invalid URL, or a user or password that is not percent-encoded; the error may contain the password
   */
  constructor (url: string, timeoutMs: number) {
    const parsed = new URL(url)
    this.host = parsed.host
    this.#timeoutMs = timeoutMs
    this.#protocol = parsed.protocol === 'https:' ? https : http
    const agent = new this.#protocol.Agent({ keepAlive: true, maxSockets: 1, timeout: MAX_IDLE_MS })
    this.#target = { ...urlToHttpOptions(parsed), agent, method: 'BAN' }
  }

  /** Sends one ban. Resolves with the reason why the proxy did not accept the ban; `undefined`: the proxy accepted it. Never rejects. */
  async ban (tags: readonly string[]): Promise<string | undefined> {
    const signal = AbortSignal.timeout(this.#timeoutMs)
    try {
      const status = await this.#send({ ...this.#target, headers: { 'x-ban-tag': tags.join(' ') }, signal })
      return status >= 200 && status < 300 ? undefined : `it answered ${status}`
    } catch (error) {
      if (signal.aborted) return `no answer within ${this.#timeoutMs} ms`
      // The `code` of the error, such as ECONNREFUSED, describes the failure without the URL.
      return String((error as NodeJS.ErrnoException).code ?? 'it cannot be reached')
    }
  }

  /** Closes the connection to the Varnish instance. */
  close (): void {
    (this.#target.agent as http.Agent).destroy()
  }

  #send (options: RequestOptions): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#protocol.request(options, (response) => {
        // The response is read to its end; otherwise the connection could not be used again.
        response.on('end', () => resolve(response.statusCode!)).on('error', reject).resume()
      }).on('error', reject).end()
    })
  }
}
