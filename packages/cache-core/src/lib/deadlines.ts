/** A call whose time is watched. */
export interface Watched {
  expiresAt: number
  /** Ends the call that has lasted too long; must not throw. */
  readonly expire: (ms: number) => void
  previous: Watched | undefined
  next: Watched | undefined
}

/** Ticks in which a call may take its whole time. */
const TICKS = 8
/** Above it a tick that has nothing left to watch is not waited for: it would hold the process. */
const LONG_TICK_MS = 1000

/**
 * Bounds calls in time without a timer of their own: all calls here have the same limit, so the list is in the order of
 * their ends, and one interval, which runs only while calls are pending, looks at its head. A call that hangs ends between
 * `ms` and 9/8 of it.
 */
export class Deadlines {
  readonly #tickMs: number
  readonly #holdsProcess: boolean
  #tick = 0
  #head: Watched | undefined
  #tail: Watched | undefined
  #timer: NodeJS.Timeout | undefined

  /** @param holdsProcess whether a call that is watched keeps the process running */
  constructor (readonly ms: number, { holdsProcess = true }: { holdsProcess?: boolean } = {}) {
    // Node turns a delay above 2^31-1 ms into one of 1 ms.
    this.#tickMs = Math.min(Math.max(1, ms / TICKS), 0x7fffffff)
    this.#holdsProcess = holdsProcess
  }

  /**
   * What `pending` resolves to, as `done` makes it; what `failed` makes of its rejection; or what `late` makes of it once the
   * time is over. The three must not throw.
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

  /** Calls `expire` when the time is over, unless `unwatch` comes before. */
  watch (expire: (ms: number) => void): Watched {
    const watched: Watched = { expiresAt: this.#tick + TICKS + 1, expire, previous: this.#tail, next: undefined }
    if (this.#tail === undefined) this.#head = watched
    else this.#tail.next = watched
    this.#tail = watched
    // Holds the process for a call that is under way; a tick later it lets go.
    if (this.#timer === undefined) {
      this.#timer = setInterval(() => this.#sweep(), this.#tickMs)
      if (!this.#holdsProcess) this.#timer.unref()
    }
    return watched
  }

  /** Whether it was still watched. */
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
