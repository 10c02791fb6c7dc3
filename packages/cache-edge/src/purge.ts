import type { Events } from '@x/cache-core'
import type { FastifyBaseLogger } from 'fastify'
import { setTimeout as sleep } from 'node:timers/promises'
import { TAG_PATTERN } from './options.js'

/** Settings of a purger; see option `purge`. */
export interface PurgeSettings {
  readonly varnish: readonly string[]
  readonly timeoutMs: number
  readonly attempts: number
  readonly againAfterMs: number
}

const TAG = new RegExp(TAG_PATTERN)
const FIRST_RETRY_MS = 100
/** Tags that wait for one proxy; beyond, the oldest are given up, and counted. */
const MAX_WAITING = 10_000

/** Tells Varnish which tags were invalidated: at once, and once more when every process has heard of it. */
export class Purger {
  /** Bans that a proxy did not take in any attempt. */
  failures = 0
  readonly #settings: PurgeSettings
  readonly #log: FastifyBaseLogger
  readonly #stop: () => void
  readonly #closing = new AbortController()
  readonly #pending = new Set<Promise<void>>()

  constructor (settings: PurgeSettings, events: Events, log: FastifyBaseLogger) {
    this.#settings = settings
    this.#log = log
    this.#stop = events.on('invalidated', (tags) => this.purge(tags))
  }

  /** Sends the bans; nobody waits for them. */
  purge (tags: readonly string[]): void {
    for (const url of this.#settings.varnish) {
      for (const tag of tags) {
        // No header of an answer carries such a tag; a proxy knows by itself what an unsafe method changes.
        if (!TAG.test(tag) || tag.startsWith('edge-uri:')) continue
        if (this.#pending.size >= MAX_WAITING) {
          this.#giveUp(url, 'too many bans wait')
          continue
        }
        const pending: Promise<void> = this.#ban(url, tag).finally(() => this.#pending.delete(pending))
        this.#pending.add(pending)
      }
    }
  }

  /** Resolves when all that was asked for has been said once, or given up; what was to be said again is not. */
  async close (): Promise<void> {
    this.#stop()
    this.#closing.abort()
    await Promise.all(this.#pending)
  }

  async #ban (url: string, tag: string): Promise<void> {
    await this.#try(url, tag)
    const { againAfterMs } = this.#settings
    if (againAfterMs === 0) return
    // A proxy may have refilled itself from a process that had not heard yet.
    const isOpen = await sleep(againAfterMs, true, { signal: this.#closing.signal, ref: false }).catch(() => false)
    if (isOpen) await this.#try(url, tag)
  }

  async #try (url: string, tag: string): Promise<void> {
    const { attempts, timeoutMs } = this.#settings
    const { target, credentials } = split(url)
    let why = ''
    for (let attempt = 0; attempt < attempts; attempt++) {
      if (attempt > 0) await sleep(FIRST_RETRY_MS * 2 ** (attempt - 1), undefined, { signal: this.#closing.signal }).catch(() => {})
      try {
        const response = await fetch(target, { method: 'BAN', headers: { ...credentials, 'x-ban-tag': tag }, signal: AbortSignal.timeout(timeoutMs), redirect: 'manual' })
        await response.body?.cancel()
        if (response.ok) return
        why = `it answered ${response.status}`
      } catch (error) {
        why = (error as Error).name === 'TimeoutError' ? `no answer within ${timeoutMs} ms` : reasonOf(error)
      }
      if (this.#closing.signal.aborted) break
    }
    this.#giveUp(url, why)
  }

  #giveUp (url: string, why: string): void {
    this.failures++
    const { host } = new URL(url)
    this.#log.error({ proxy: host, why, failures: this.failures }, 'Cache: a proxy did not take a ban; what it holds under the tag ends with its lifetime')
  }
}

/** fetch takes no credentials in a URL, and would name them in its error. */
function split (url: string): { target: string; credentials: Record<string, string> } {
  const target = new URL(url)
  const { username, password } = target
  if (username === '' && password === '') return { target: target.href, credentials: {} }
  target.username = target.password = ''
  const basic = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')
  return { target: target.href, credentials: { authorization: `Basic ${basic}` } }
}

/** `ECONNREFUSED` and the like: the message of an error may name the URL. */
function reasonOf (error: unknown): string {
  const { code, cause } = error as { code?: unknown; cause?: { code?: unknown } }
  return String(cause?.code ?? code ?? 'it cannot be reached')
}
