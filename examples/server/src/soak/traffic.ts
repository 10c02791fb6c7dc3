import { setTimeout as sleep } from 'node:timers/promises'
import { PRODUCTS } from '../database/seed.js'
import { seededRandom } from '../replay/zipf.js'

/** Sends mixed requests of several clients to several servers with one database, and records wrong answers. */
export class Traffic {
  sent = 0
  /** The number of responses by status; `failed`: requests without a response. */
  readonly statuses: Record<string, number> = {}
  /** Wrong answers, which a server with a working database must not give; only the first ones are stored. */
  readonly problems: string[] = []
  problemCount = 0
  /** The version of each record that the last successful write of the record returned. */
  readonly written = new Map<number, number>()
  readonly #urls: readonly string[]
  readonly #etags = new Map<string, string>()
  #isStopped = false

  constructor (urls: readonly string[]) {
    this.#urls = urls
  }

  /** Sends requests until `stop` is called, `rate` per second in total; each client waits for a response before its next request. */
  async run (clients: number, rate: number): Promise<void> {
    await Promise.all(Array.from({ length: clients }, async (_, client) => {
      const random = seededRandom(client + 1)
      const url = this.#urls[client % this.#urls.length]!
      while (!this.#isStopped) {
        const pause = sleep(clients * 1000 / rate)
        await this.#act(url, client, random)
        await pause
      }
    }))
  }

  stop (): void {
    this.#isStopped = true
  }

  async #act (url: string, client: number, random: () => number): Promise<void> {
    const dice = random()
    const user = { 'x-user-id': String(client % 10 + 1) }
    const pick = (paths: readonly string[]): string => paths[Math.floor(random() * paths.length)]!
    if (dice < 0.6) await this.#ask(`${url}/api/records/${Math.floor(PRODUCTS * random() ** 3)}`)
    else if (dice < 0.7) await this.#ask(`${url}/api/tables/1/records?limit=20&offset=${20 * Math.floor(random() * 50)}`)
    else if (dice < 0.8) await this.#askAgain(url + pick(['/api/public/tables', '/api/public/tables/1/records?limit=20', '/api/data/tables/1/summary']))
    else if (dice < 0.9) await this.#ask(url + pick(['/api/user', '/api/profile', '/api/notifications', '/api/users/3/permissions']), { headers: user })
    else if (dice < 0.98) await this.#write(url, client + 100 * Math.floor(random() * 20), Math.floor(random() * 500))
    else await this.#approve(url, Math.floor(PRODUCTS * random()))
  }

  /** Sends a conditional request, as browsers and proxies do. */
  async #askAgain (url: string): Promise<void> {
    const etag = this.#etags.get(url)
    const response = await this.#ask(url, etag === undefined ? {} : { headers: { 'if-none-match': etag } }, [200, 304])
    const next = response?.headers.get('etag')
    if (next !== undefined && next !== null) this.#etags.set(url, next)
  }

  /**
   * Sends a write, then a read through the same server, whose result must not be older than the write. Only one client writes a given
   * record.
   */
  async #write (url: string, id: number, stock: number): Promise<void> {
    const path = `${url}/api/records/${id}`
    const response = await this.#ask(path, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ fields: { stock } }) })
    if (response === undefined) return
    const { version } = JSON.parse(response.text) as { version: number }
    this.written.set(id, version)
    const read = await this.#ask(path)
    if (read === undefined) return
    const seen = (JSON.parse(read.text) as { version: number }).version
    if (seen < version) this.#note(`GET ${path}: version ${seen} after a write of version ${version}`)
  }

  async #approve (url: string, recordId: number): Promise<void> {
    const post = (path: string, userId: number, expected: number, body?: object) => this.#ask(url + path, {
      method: 'POST',
      headers: { 'x-user-id': String(userId), ...body === undefined ? {} : { 'content-type': 'application/json' } },
      ...body === undefined ? {} : { body: JSON.stringify(body) }
    }, [expected])
    const created = await post('/approvals', 5, 201, { recordId, changes: { price: 9.5 } })
    if (created === undefined) return
    const { id } = JSON.parse(created.text) as { id: number }
    await post(`/approvals/${id}/submit`, 5, 200)
    await this.#ask(`${url}/approvals/${id}`)
    await post(`/approvals/${id}/approve`, 2, 200)
  }

  /** Sends a request and returns its response; a response with an unexpected status counts as a problem. */
  async #ask (url: string, init: RequestInit = {}, expected: readonly number[] = [200]): Promise<{ headers: Headers, text: string } | undefined> {
    this.sent++
    try {
      const response = await fetch(url, { ...init, signal: AbortSignal.timeout(30_000) })
      const text = await response.text()
      this.#count(String(response.status))
      if (expected.includes(response.status)) return { headers: response.headers, text }
      this.#note(`${init.method ?? 'GET'} ${url}: ${response.status} ${text.slice(0, 200)}`)
    } catch (error) {
      this.#count('failed')
      const { message, cause } = error as Error
      this.#note(`${init.method ?? 'GET'} ${url}: ${message}${cause instanceof Error ? ` (${cause.message})` : ''}`)
    }
    return undefined
  }

  #count (status: string): void {
    this.statuses[status] = (this.statuses[status] ?? 0) + 1
  }

  #note (problem: string): void {
    this.problemCount++
    if (this.problems.length < 20) this.problems.push(`${new Date().toISOString()} ${problem}`)
  }
}
