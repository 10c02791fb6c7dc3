import type { TagSnapshot } from '@x/cache-core'
import { Flight, Flights, type Clock } from '@x/cache-core/suite'
import type { StoredResponse } from '../store/stored-response.js'

/** Milliseconds after which new requests no longer wait for a handler run, unless `coalesceMs` is longer. */
const MAX_RUN_MS = 30_000

/** The flight of one handler run; its value is the stored response, `undefined` if the run ended without one. */
export class HandlerFlight extends Flight<StoredResponse | undefined> {
  /** The snapshot of the tags before the handler ran; `undefined`: the store could not be read. */
  snapshot: TagSnapshot | undefined
  /** Whether the tags of the run were compared with their snapshot, so that a request that joins later compares them again. */
  isProven = false
  /**
   * The `detail` in `Cache-Status` of the stale response that was served in place of the handler's response; `undefined`: no stale response
   * was served.
   */
  failure: string | undefined
  hasWaiters = false
  /** The time at which the handler run began, in monotonic milliseconds. */
  readonly begunAt: number
  /** Whether other requests may join the handler run. */
  readonly isJoinable: boolean
  #share!: (response: StoredResponse | undefined) => void
  #onJoin: () => void = () => {}

  /**
   * Creates the flight of a handler run that began at `begunAt`.
   * @param key `undefined`: no request can join the run
   */
  constructor (key: string | undefined, tags: readonly string[], begunAt: number) {
    super(key ?? '', tags)
    this.isJoinable = key !== undefined
    this.begunAt = begunAt
    this.loaded = new Promise((resolve) => { this.#share = resolve })
  }

  override join (): Promise<StoredResponse | undefined> {
    this.hasWaiters = true
    this.#onJoin()
    return super.join()
  }

  /** Calls `listener` as soon as another request waits for the handler run; immediately, if a request waits already. */
  whenJoined (listener: () => void): void {
    this.#onJoin = listener
    if (this.hasWaiters) listener()
  }

  /**
   * Gives the response of the handler run to all requests that joined; `undefined`: the run has no response. Only the first call has an
   * effect.
   */
  share (response: StoredResponse | undefined): void {
    this.#share(response)
  }
}

/** The handler runs in progress, at most one per key that requests can join. */
export class HandlerFlights {
  readonly #flights = new Flights<HandlerFlight>()
  readonly #owner: { readonly clock: Clock }
  readonly #maxRunMs: number

  /**
   * Sets the time after which requests no longer join a handler run.
   * @param waitMs milliseconds that a request waits for the run of another
   */
  constructor (owner: { readonly clock: Clock }, waitMs: number) {
    this.#owner = owner
    this.#maxRunMs = Math.max(MAX_RUN_MS, waitMs)
  }

  /**
   * Returns the handler run that a request with this key may wait for. A run that has exceeded the time limit is superseded, so that the
   * response of the next run can be stored.
   */
  joinable (key: string): HandlerFlight | undefined {
    const flight = this.#flights.joinable(key)
    if (flight === undefined || this.#owner.clock.now() - flight.begunAt < this.#maxRunMs) return flight
    flight.expire()
    this.#flights.supersedeFlight(flight)
    return undefined
  }

  /**
   * Begins a handler run, which requests with its key can join.
   * @param key `undefined`: no request can join the run
   */
  begin (key: string | undefined, tags: readonly string[]): HandlerFlight {
    const flight = new HandlerFlight(key, tags, this.#owner.clock.now())
    if (flight.isJoinable) this.#flights.begin(flight)
    return flight
  }

  /** Ends a handler run; the requests that joined it continue without waiting any longer. */
  end (flight: HandlerFlight): void {
    if (flight.isJoinable) this.#flights.end(flight)
    flight.share(undefined)
  }

  /**
   * Supersedes the handler runs with one of these invalidated tags: later requests do not join them, and their responses are not stored.
   */
  supersedeTags (tags: readonly string[]): void {
    this.#flights.supersedeTags(tags)
  }

  /** Supersedes all handler runs, since the cache was cleared or replaced; see `supersedeTags`. */
  supersedeAll (): void {
    this.#flights.supersedeAll()
  }
}
