import http, { type RequestOptions } from 'node:http'
import https from 'node:https'
import { urlToHttpOptions } from 'node:url'

/** Stands in place of a tag for every response that a proxy holds. */
export const EVERYTHING = '*'
/** Largest number of tags in one request: below the 8 KB of Varnish for a header, and few enough for one expression. */
export const MAX_TAGS_PER_BAN = 32

// Varnish closes a connection that is idle for 5 s; a request that is sent at that moment is lost.
const MAX_IDLE_MS = 2000

/** One Varnish that runs the VCL of this package. */
export class Varnish {
  /** Host and port, for the log. */
  readonly host: string
  readonly #target: RequestOptions
  readonly #timeoutMs: number
  readonly #protocol: typeof http | typeof https

  /** Throws if the URL is none, or its user and password are not percent-encoded; the error may hold them. */
  constructor (url: string, timeoutMs: number) {
    const parsed = new URL(url)
    this.host = parsed.host
    this.#timeoutMs = timeoutMs
    this.#protocol = parsed.protocol === 'https:' ? https : http
    const agent = new this.#protocol.Agent({ keepAlive: true, maxSockets: 1, timeout: MAX_IDLE_MS })
    this.#target = { ...urlToHttpOptions(parsed), agent, method: 'BAN' }
  }

  /** Resolves with the reason why it did not accept the ban; `undefined`: it did. Never rejects. */
  async ban (tags: readonly string[]): Promise<string | undefined> {
    const signal = AbortSignal.timeout(this.#timeoutMs)
    try {
      const status = await this.#send({ ...this.#target, headers: { 'x-ban-tag': tags.join(' ') }, signal })
      return status >= 200 && status < 300 ? undefined : `it answered ${status}`
    } catch (error) {
      if (signal.aborted) return `no answer within ${this.#timeoutMs} ms`
      // ECONNREFUSED and the like.
      return String((error as NodeJS.ErrnoException).code ?? 'it cannot be reached')
    }
  }

  /** Ends the connection. */
  close (): void {
    (this.#target.agent as http.Agent).destroy()
  }

  #send (options: RequestOptions): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#protocol.request(options, (response) => {
        // Read to its end, or the connection could not be used again.
        response.on('end', () => resolve(response.statusCode!)).on('error', reject).resume()
      }).on('error', reject).end()
    })
  }
}
