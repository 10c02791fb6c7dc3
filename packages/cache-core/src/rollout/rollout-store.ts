import type { Clock } from '../lib/clock.js'

/** The number of history records that a store keeps. */
export const MAX_HISTORY = 1000
/** The number of minutes for which a store keeps the reports of the processes. */
export const REPORT_MINUTES = 60

/**
 * The documents and counts that the processes of one app share. Every method rejects while the store cannot be reached; its caller bounds a
 * call that hangs.
 */
export interface RolloutStore {
  /** Returns the time of the store's clock, in milliseconds since 1970. */
  now (): Promise<number>
  /** Returns the state document, whatever its text is; `undefined`: none is stored. */
  read (): Promise<string | undefined>
  /**
   * Replaces the state document if its revision is still `expected`; `undefined`: if none is stored. The record is added to the history in
   * the same step, and every watcher of every process is called. Returns `false`, and changes nothing, if the revision is another. A stored
   * text counts as revision 0 if `revisionOf` finds none in it.
   * @param revision the revision inside of `text`
   */
  replace (text: string, revision: number, expected: number | undefined, record?: string): Promise<boolean>
  /**
   * Calls the listener when the document may have changed, also after a lost connection; returns the function that removes the listener.
   * Never throws.
   */
  watch (listener: () => void): () => void
  /** Takes the decider's lease, or extends it, if it is free, has ended or is held by `processId`; returns whether `processId` holds it. */
  lead (processId: string, ttlMs: number): Promise<boolean>
  /** Frees the lease if `processId` holds it. */
  resign (processId: string): Promise<void>
  /** Returns the last records, the newest first; at most `MAX_HISTORY` are stored. */
  history (limit: number): Promise<string[]>
  /** Stores the counts of one process in one minute, in place of its earlier report of that minute; stored for `REPORT_MINUTES`. */
  report (minute: number, processId: string, counts: Uint8Array): Promise<void>
  /** Returns the reports of all processes of one minute. */
  reports (minute: number): Promise<Uint8Array[]>
  /** Returns the sums of the decider; `undefined`: none are stored. */
  readEvidence (): Promise<Uint8Array | undefined>
  /** Stores the sums of the decider; `false`: `processId` does not hold the lease, and nothing was stored. */
  writeEvidence (processId: string, evidence: Uint8Array): Promise<boolean>
}

/** The highest revision of a document; a higher one was not written by this package, and could not be exceeded for ever. */
export const MAX_REVISION = 2 ** 52

/** Returns the `revision` of a JSON document; 0 if the text is no JSON object with a whole number from 0 to 2^52 under that name. */
export function revisionOf (text: string): number {
  try {
    const { revision } = JSON.parse(text) as { revision?: unknown }
    return Number.isSafeInteger(revision) && (revision as number) >= 0 && (revision as number) <= MAX_REVISION ? revision as number : 0
  } catch {
    // The text is corrupt, or `null`.
    return 0
  }
}

/** The store of one process: what it holds is lost when the process ends, and no other process sees it. */
export class MemoryRolloutStore implements RolloutStore {
  readonly #clock: () => Clock
  readonly #epoch: number
  readonly #listeners = new Set<() => void>()
  readonly #reports = new Map<number, Map<string, Uint8Array>>()
  #text: string | undefined
  #records: string[] = []
  #evidence: Uint8Array | undefined
  #lease: { holder: string; until: number } | undefined

  /**
   * Makes an empty store.
   * @param clock returns the clock by which minutes and the lease are measured
   * @param startedAt the time of the call, in milliseconds since 1970
   */
  constructor (clock: () => Clock, startedAt = Date.now()) {
    this.#clock = clock
    this.#epoch = startedAt - clock().now()
  }

  async now (): Promise<number> { return this.#epoch + this.#clock().now() }

  async read (): Promise<string | undefined> { return this.#text }

  async replace (text: string, _revision: number, expected: number | undefined, record?: string): Promise<boolean> {
    if ((this.#text === undefined ? undefined : revisionOf(this.#text)) !== expected) return false
    this.#text = text
    if (record !== undefined) this.#records = [record, ...this.#records.slice(0, MAX_HISTORY - 1)]
    for (const listener of [...this.#listeners]) listener()
    return true
  }

  watch (listener: () => void): () => void {
    // A function of its own, so that a listener that was added twice is removed once at a time.
    const own = (): void => listener()
    this.#listeners.add(own)
    return () => { this.#listeners.delete(own) }
  }

  async lead (processId: string, ttlMs: number): Promise<boolean> {
    const now = this.#clock().now()
    if (this.#lease !== undefined && this.#lease.holder !== processId && this.#lease.until > now) return false
    this.#lease = { holder: processId, until: now + ttlMs }
    return true
  }

  async resign (processId: string): Promise<void> {
    if (this.#lease?.holder === processId) this.#lease = undefined
  }

  async history (limit: number): Promise<string[]> { return this.#records.slice(0, limit) }

  async report (minute: number, processId: string, counts: Uint8Array): Promise<void> {
    let reports = this.#reports.get(minute)
    if (reports === undefined) this.#reports.set(minute, reports = new Map())
    reports.set(processId, counts)
    for (const each of this.#reports.keys()) if (Math.abs(each - minute) > REPORT_MINUTES) this.#reports.delete(each)
  }

  async reports (minute: number): Promise<Uint8Array[]> { return [...this.#reports.get(minute)?.values() ?? []] }

  async readEvidence (): Promise<Uint8Array | undefined> { return this.#evidence }

  async writeEvidence (processId: string, evidence: Uint8Array): Promise<boolean> {
    if (this.#lease?.holder !== processId || this.#lease.until <= this.#clock().now()) return false
    this.#evidence = evidence
    return true
  }
}
