import type { TagSnapshot } from '@x/cache-core'
import type { Clock } from '@x/cache-core/suite'
import type { StoredResponse } from '../store/stored-response.js'

/** Milliseconds after which new requests no longer wait for a handler run, if their own limit is not longer. */
const MAX_RUN_MS = 30_000

/** One handler run that other requests for the same key may wait for. */
export class Flight {
  /** The stored response; `undefined`: the run ended without one. */
  readonly shared: Promise<StoredResponse | undefined>
  readonly key: string | undefined
  readonly tags: ReadonlySet<string>
  readonly begunAt: number
  /** The tags before the handler ran, if they could be had. */
  snapshot: TagSnapshot | undefined
  /** Requests that come from now on cannot rely on what was asked for those before them. */
  isProven = false
  /** Invalidated or replaced while it ran: its response is neither stored nor shared. */
  isOvertaken = false
  /** Its client or its source broke off, so that one of the waiting requests runs the handler in its place. */
  isAborted = false
  /** Why a stale response was served in place of its own. */
  failure?: string
  #share!: (response: StoredResponse | undefined) => void
  hasWaiters = false
  #onJoin: () => void = () => {}

  constructor (key: string | undefined, tags: readonly string[], begunAt: number) {
    this.key = key
    this.tags = new Set(tags)
    this.begunAt = begunAt
    this.shared = new Promise((resolve) => { this.#share = resolve })
  }

  /** Waits for the response. */
  join (): Promise<StoredResponse | undefined> {
    this.hasWaiters = true
    this.#onJoin()
    return this.shared
  }

  /** Calls back as soon as another request waits, at once if one does already. */
  whenJoined (listener: () => void): void {
    this.#onJoin = listener
    if (this.hasWaiters) listener()
  }

  /** Gives the waiting requests their response. The first call counts. */
  share (response: StoredResponse | undefined): void {
    this.#share(response)
  }
}

/** The handler runs under way, at most one per key that can be joined. */
export class Flights {
  readonly #byKey = new Map<string, Flight>()
  readonly #owner: { readonly clock: Clock }
  readonly #maxRunMs: number

  /** @param waitMs how long a request waits for another one's run */
  constructor (owner: { readonly clock: Clock }, waitMs: number) {
    this.#owner = owner
    this.#maxRunMs = Math.max(MAX_RUN_MS, waitMs)
  }

  /** The run that a request with this key may wait for. One that takes too long is given up: the next one is stored in its place. */
  joinable (key: string): Flight | undefined {
    const flight = this.#byKey.get(key)
    if (flight === undefined || this.#owner.clock.now() - flight.begunAt < this.#maxRunMs) return flight
    flight.isOvertaken = true
    this.#byKey.delete(key)
    return undefined
  }

  /** @param key `undefined`: nobody can join it */
  begin (key: string | undefined, tags: readonly string[]): Flight {
    const flight = new Flight(key, tags, this.#owner.clock.now())
    if (key !== undefined && !this.#byKey.has(key)) this.#byKey.set(key, flight)
    return flight
  }

  /** Ends the wait of all who joined. */
  end (flight: Flight): void {
    if (flight.key !== undefined && this.#byKey.get(flight.key) === flight) this.#byKey.delete(flight.key)
    flight.share(undefined)
  }

  /** Requests that come from now on do not join these runs, and their responses are not stored. */
  overtake (isMeant: (flight: Flight) => boolean): void {
    for (const [key, flight] of this.#byKey) {
      if (!isMeant(flight)) continue
      flight.isOvertaken = true
      this.#byKey.delete(key)
    }
  }
}
