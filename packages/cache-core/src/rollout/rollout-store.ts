import type { Clock } from '../lib/clock.js'

/** The maximum number of history records that a rollout store holds. */
export const MAX_HISTORY = 1000
/** The number of minutes for which a rollout store holds the counts of the processes. */
export const REPORT_MINUTES = 60

/**
 * The documents and counts that the processes of one app share for a canary. Every method rejects while the store cannot be reached; the
 * caller of the method limits its time.
 */
export interface RolloutStore {
  /** Returns the time of the rollout store's clock, in milliseconds since 1970. */
  now (): Promise<number>
  /** Returns the text of the state document of the rollout, which may be damaged; `undefined`: no document is stored. */
  read (): Promise<string | undefined>
  /**
   * Replaces the state document if the stored one still has the revision `expected` (`undefined`: if none is stored). In the same step the
   * record is added to the history, and the watchers of all processes are called. Returns `false` and changes nothing if the stored
   * revision is another one. A stored text counts as revision 0 if `revisionOf` finds none in it.
   * @param revision the revision that is contained in `text`
   */
  replace (text: string, revision: number, expected: number | undefined, record?: string): Promise<boolean>
  /**
   * Calls the listener when the state document may have changed, also after a lost connection to the store; returns the function that
   * removes the listener. Never throws.
   */
  watch (listener: () => void): () => void
  /**
   * Acquires or extends the lease that makes `processId` the decider, unless another process holds it; returns whether `processId` holds
   * it.
   */
  lead (processId: string, ttlMs: number): Promise<boolean>
  /** Releases the decider's lease if `processId` holds it. */
  resign (processId: string): Promise<void>
  /** Returns the last history records of the rollout, the newest first; the store has at most `MAX_HISTORY`. */
  history (limit: number): Promise<string[]>
  /** Stores the counts of one process in one minute, for `REPORT_MINUTES`, in place of earlier counts of the same process and minute. */
  report (minute: number, processId: string, counts: Uint8Array): Promise<void>
  /** Returns the encoded counts that the processes have stored for one minute. */
  reports (minute: number): Promise<Uint8Array[]>
  /** Returns the evidence that the decider has stored; `undefined`: no evidence is stored. */
  readEvidence (): Promise<Uint8Array | undefined>
  /** Stores the evidence of the decider; `false`: `processId` does not hold the lease, and nothing was stored. */
  writeEvidence (processId: string, evidence: Uint8Array): Promise<boolean>
}

/**
 * The highest revision of a state document. A document with a higher revision cannot be from this package, which counts by one; above 2^53
 * a JavaScript number plus one is no higher number.
 */
export const MAX_REVISION = 2 ** 52

/** Returns the member `revision` of a JSON document; 0 if the text is no JSON object, or the member is no whole number from 0 to 2^52. */
export function revisionOf (text: string): number {
  try {
    const { revision } = JSON.parse(text) as { revision?: unknown }
    return Number.isSafeInteger(revision) && (revision as number) >= 0 && (revision as number) <= MAX_REVISION ? revision as number : 0
  } catch {
    // A text that cannot be parsed as JSON counts as a state document of revision 0.
    return 0
  }
}

/** The rollout store of a single process, in memory: no other process sees it, and its contents end with the process. */
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
   * Makes an empty rollout store.
   * @param clock returns the clock that the lease and the minutes are measured by
   * @param startedAt the present time, in milliseconds since 1970
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
    // Each call of `watch` adds a separate function: a listener that was added twice is then removed once per call of its remover.
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
