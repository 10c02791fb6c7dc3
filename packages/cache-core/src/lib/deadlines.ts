/** A pending call of the cache, with its place in the list of time limits. */
export interface Watched {
  expiresAt: number
  /** Ends the call when it has exceeded its time limit; must not throw. */
  readonly expire: (ms: number) => void
  previous: Watched | undefined
  next: Watched | undefined
}

/** The number of ticks per time limit: at each tick of an interval the pending calls are checked. */
const TICKS = 8
/**
 * Milliseconds of a tick above which the interval is stopped as soon as no call is pending. A running interval keeps the process alive
 * until its next tick.
 */
const LONG_TICK_MS = 1000

/**
 * Limits the duration of calls without a timer per call. All calls have the same limit, so the list of calls is in the order of their
 * deadlines, and one interval only checks the first calls of the list. A call that hangs is ended between `ms` and 9/8 of `ms`.
 */
export class Deadlines {
  readonly #tickMs: number
  readonly #holdsProcess: boolean
  #tick = 0
  #head: Watched | undefined
  #tail: Watched | undefined
  #timer: NodeJS.Timeout | undefined

  /**
   * Makes an empty list of calls with a time limit.
   * @param holdsProcess whether a pending call keeps the process running
   */
  constructor (readonly ms: number, { holdsProcess = true }: { holdsProcess?: boolean } = {}) {
    // The tick is at most 2^31-1 ms, since Node turns a longer delay into 1 ms.
    this.#tickMs = Math.min(Math.max(1, ms / TICKS), 0x7fffffff)
    this.#holdsProcess = holdsProcess
  }

  /**
   * Resolves to `done(value)` of `pending`, to `failed(cause)` if `pending` rejects, or to `late(ms)` once the limit has passed. The three
   * callbacks must not throw.
   */
  bound<T, R> (pending: PromiseLike<T>, done: (value: T) => R, late: (ms: number) => R, failed: (cause: unknown) => R): Promise<R> {
    return new Promise<R>((resolve) => {
      const watched = this.watch((ms) => resolve(late(ms)))
      pending.then((value) => {
        if (this.unwatch(watched)) resolve(done(value))
      }, (cause: unknown) => {
        if (this.unwatch(watched)) resolve(failed(cause))
      })
    })
  }

  /** Calls `expire` when the time limit has passed, unless `unwatch` is called before. */
  watch (expire: (ms: number) => void): Watched {
    const watched: Watched = { expiresAt: this.#tick + TICKS + 1, expire, previous: this.#tail, next: undefined }
    if (this.#tail === undefined) this.#head = watched
    else this.#tail.next = watched
    this.#tail = watched
    // The interval keeps the process running while a call is pending, and up to a tick longer.
    if (this.#timer === undefined) {
      this.#timer = setInterval(() => this.#sweep(), this.#tickMs)
      if (!this.#holdsProcess) this.#timer.unref()
    }
    return watched
  }

  /** Ends the time limit of a call; returns `false` if the limit had passed or was ended before. */
  unwatch (watched: Watched): boolean {
    if (watched.expiresAt === 0) return false
    watched.expiresAt = 0
    if (watched.previous === undefined) this.#head = watched.next
    else watched.previous.next = watched.next
    if (watched.next === undefined) this.#tail = watched.previous
    else watched.next.previous = watched.previous
    if (this.#holdsProcess && this.#tickMs > LONG_TICK_MS && this.#head === undefined) this.#stop()
    return true
  }

  /** Ends the time limits of all calls, as `unwatch` does, and the interval that checks them. */
  clear (): void {
    while (this.#head !== undefined) this.unwatch(this.#head)
    this.#stop()
  }

  #sweep (): void {
    this.#tick++
    while (this.#head !== undefined && this.#head.expiresAt <= this.#tick) {
      const watched = this.#head
      this.unwatch(watched)
      watched.expire(this.ms)
    }
    if (this.#head === undefined) this.#stop()
  }

  #stop (): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
