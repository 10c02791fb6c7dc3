import { createHash } from 'node:crypto'
import { corrupt, tooLarge, unserviceable } from '@x/cache-core/implementing'
import { MAX_HISTORY, REPORT_MINUTES, revisionOf, type RolloutStore } from '@x/cache-core/suite'
import { guard, type Warn } from '../connection/app-callback.js'
import type { Client } from '../connection/client.js'
import { isRefusal, publicText } from '../connection/redis-errors.js'
import { listen } from '../connection/shared-listeners.js'
import type { Subscriber } from '../connection/subscriber.js'
import { Subscription } from '../connection/subscription.js'
import type { RolloutKeys } from '../entries/keys.js'
import { MAX_LEASE_MS } from './rollout-scripts.js'
import { StoreCalls } from './store-calls.js'

/**
 * The maximum sizes, in bytes, of the documents of a rollout: the state, one history record, the counts of one process and minute, and the
 * decider's evidence.
 */
export const LIMITS = { state: 256 * 1024, record: 16 * 1024, report: 512 * 1024, evidence: 8 * 1024 * 1024 }
/** The number of processes whose counts of one minute are read by one command. */
const REPORTS_AT_ONCE = 32
/**
 * The maximum number of bytes of the counts that all processes stored for one minute; more bytes are an error, since this package writes
 * less.
 */
const MAX_REPORTS_BYTES = 64 * 1024 * 1024

/** The functions and objects that a `RedisRolloutStore` uses. */
export interface RolloutStoreParts {
  readonly client: Client
  readonly subscriber: Subscriber
  readonly keys: RolloutKeys
  readonly commandTimeoutMs: number
  readonly warn: Warn
}

/**
 * The documents and counts of the rollout that the processes of one app share, in Redis. A method rejects with a coded error: at once while
 * the client is not connected, and after `commandTimeoutMs` per command at the latest. The breaker of the cache does not stop these calls,
 * so that an operator reaches Redis as soon as it answers.
 */
export class RedisRolloutStore implements RolloutStore {
  readonly #client: Client
  readonly #subscriber: Subscriber
  readonly #keys: RolloutKeys
  readonly #calls: StoreCalls
  readonly #warn: Warn
  readonly #refused = new Set<string>()
  readonly #listeners = new Set<() => void>()
  #stops: (() => void)[] = []

  constructor ({ client, subscriber, keys, commandTimeoutMs, warn }: RolloutStoreParts) {
    this.#client = client
    this.#subscriber = subscriber
    this.#keys = keys
    this.#calls = new StoreCalls(client, commandTimeoutMs)
    this.#warn = warn
  }

  async now (): Promise<number> {
    const [seconds, microseconds] = await this.#calls.run('rollout.now', () => this.#client.cacheRolloutNow(this.#keys.state))
    return seconds * 1000 + microseconds / 1000
  }

  async read (): Promise<string | undefined> {
    return await this.#calls.run('rollout.read', () => this.#client.cacheRolloutRead(this.#keys.state, LIMITS.state)) ?? undefined
  }

  async replace (text: string, revision: number, expected: number | undefined, record?: string): Promise<boolean> {
    if (revisionOf(text) !== revision) throw unserviceable('rollout.replace', `the text has another revision than ${revision}`)
    limit(Buffer.byteLength(text), LIMITS.state)
    limit(Buffer.byteLength(record ?? ''), LIMITS.record)
    const stored = await this.read()
    if ((stored === undefined ? undefined : revisionOf(stored)) !== expected) return false
    // The script compares the SHA-1 of the stored text, not its revision: Lua parses some texts that `JSON.parse` refuses, so the script
    // could find another revision than this process.
    const sum = stored === undefined ? '' : createHash('sha1').update(stored).digest('hex')
    const { state, history, channel } = this.#keys
    const replaced = await this.#calls.run('rollout.replace', () =>
      this.#client.cacheRolloutReplace(state, history, text, sum, LIMITS.state, channel, ...record === undefined ? [] : [record]))
    if (replaced === 2) this.#noteRefusal(`Redis refuses PUBLISH ${channel}`)
    return replaced !== 0
  }

  watch (listener: () => void): () => void {
    const own = guard('the watcher of the rollout', listener, this.#warn)
    this.#listeners.add(own)
    if (this.#stops.length === 0 && !this.#calls.isClosed) this.#subscribe()
    return () => {
      if (this.#listeners.delete(own) && this.#listeners.size === 0) this.#unsubscribe()
    }
  }

  async lead (processId: string, ttlMs: number): Promise<boolean> {
    const ms = Math.min(Math.max(1, Math.round(ttlMs)), MAX_LEASE_MS)
    return await this.#calls.run('rollout.lead', () => this.#client.cacheRolloutLead(this.#keys.lease, processId, ms)) === 1
  }

  async resign (processId: string): Promise<void> {
    await this.#calls.run('rollout.resign', () => this.#client.cacheRolloutResign(this.#keys.lease, processId))
  }

  async history (count: number): Promise<string[]> {
    if (!(count >= 1)) return []
    return await this.#calls.run('rollout.history', () => this.#client.lrange(this.#keys.history, 0, Math.min(Math.floor(count), MAX_HISTORY) - 1))
  }

  async report (minute: number, processId: string, counts: Uint8Array): Promise<void> {
    limit(counts.byteLength, LIMITS.report)
    const bytes = Buffer.from(counts.buffer, counts.byteOffset, counts.byteLength)
    const stored = await this.#calls.run('rollout.report', () =>
      this.#client.cacheRolloutReport(this.#keys.report(minute), processId, bytes, REPORT_MINUTES * 60_000))
    if (stored === 0) throw corrupt('rollout.report', 'reports of too many processes')
  }

  async reports (minute: number): Promise<Uint8Array[]> {
    const key = this.#keys.report(minute)
    const names = await this.#calls.run('rollout.reports', () => this.#client.cacheRolloutReporters(key))
    if (names === null) throw corrupt('rollout.reports', 'reports of too many processes')
    const reports: Uint8Array[] = []
    let bytes = 0
    for (let at = 0; at < names.length; at += REPORTS_AT_ONCE) {
      const some = names.slice(at, at + REPORTS_AT_ONCE)
      for (const report of await this.#calls.run('rollout.reports', () => this.#client.hmgetBuffer(key, ...some))) {
        // The counts of a process may expire before they are read, and counts that are too large are not from this package, so both are
        // left out.
        if (report === null || report.byteLength > LIMITS.report) continue
        bytes += report.byteLength
        reports.push(report)
      }
      if (bytes > MAX_REPORTS_BYTES) throw corrupt('rollout.reports', 'reports that are too large')
    }
    return reports
  }

  async readEvidence (): Promise<Uint8Array | undefined> {
    return await this.#calls.run('rollout.evidence', () => this.#client.cacheRolloutReadBuffer(this.#keys.evidence, LIMITS.evidence)) ?? undefined
  }

  async writeEvidence (processId: string, evidence: Uint8Array): Promise<boolean> {
    limit(evidence.byteLength, LIMITS.evidence)
    const bytes = Buffer.from(evidence.buffer, evidence.byteOffset, evidence.byteLength)
    const { lease, evidence: key } = this.#keys
    return await this.#calls.run('rollout.evidence', () => this.#client.cacheRolloutEvidence(lease, key, processId, bytes)) === 1
  }

  /** Ends the subscription to changes of the rollout's state; all later calls reject. */
  close (): void {
    this.#calls.close()
    this.#listeners.clear()
    this.#unsubscribe()
  }

  #subscribe (): void {
    const notify = (): void => { for (const listener of [...this.#listeners]) listener() }
    const subscription = new Subscription(this.#client, this.#subscriber, this.#keys.channel, {
      onMessage: notify,
      onSubscribed: notify,
      onFailed: (error) => { if (isRefusal(error)) this.#noteRefusal(`Redis refuses SUBSCRIBE ${this.#keys.channel} (${publicText(error)})`) }
    })
    this.#stops = [() => subscription.close(), listen(this.#client, 'ready', notify)]
  }

  #unsubscribe (): void {
    for (const stop of this.#stops) stop()
    this.#stops = []
  }

  #noteRefusal (what: string): void {
    if (this.#refused.has(what)) return
    this.#refused.add(what)
    this.#warn(new Error(`${what}; until it is allowed, a change of the rollout reaches the other processes only when they next read the state, after seconds`))
  }
}

function limit (bytes: number, max: number): void {
  if (bytes > max) throw tooLarge(bytes, max)
}
