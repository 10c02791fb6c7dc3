interface Call {
  expiresAt: number
  /** Ends the call that has lasted too long. */
  expire: (ms: number) => void
  previous: Call | undefined
  next: Call | undefined
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
  #tick = 0
  #head: Call | undefined
  #tail: Call | undefined
  #timer: NodeJS.Timeout | undefined

  constructor (readonly ms: number) {
    // Node turns a delay above 2^31-1 ms into one of 1 ms.
    this.#tickMs = Math.min(Math.max(1, ms / TICKS), 0x7fffffff)
  }

  /**
   * What `pending` resolves to, as `done` makes it; what `failed` makes of its rejection; or what `late` makes of it once the
   * time is over. The three must not throw.
   */
  bound<T, R> (pending: PromiseLike<T>, done: (value: T) => R, late: (ms: number) => R, failed: (cause: unknown) => R): Promise<R> {
    return new Promise<R>((resolve) => {
      const call: Call = { expiresAt: 0, expire: (ms) => resolve(late(ms)), previous: undefined, next: undefined }
      this.#add(call)
      pending.then((value) => {
        if (this.#remove(call)) resolve(done(value))
      }, (cause: unknown) => {
        if (this.#remove(call)) resolve(failed(cause))
      })
    })
  }

  #add (call: Call): void {
    call.expiresAt = this.#tick + TICKS + 1
    call.previous = this.#tail
    if (this.#tail === undefined) this.#head = call
    else this.#tail.next = call
    this.#tail = call
    // Holds the process for a call that is under way; a tick later it lets go.
    this.#timer ??= setInterval(() => this.#sweep(), this.#tickMs)
  }

  /** Whether it was still there. */
  #remove (call: Call): boolean {
    if (call.expiresAt === 0) return false
    call.expiresAt = 0
    if (call.previous === undefined) this.#head = call.next
    else call.previous.next = call.next
    if (call.next === undefined) this.#tail = call.previous
    else call.next.previous = call.previous
    if (this.#tickMs > LONG_TICK_MS && this.#head === undefined) this.#stop()
    return true
  }

  #sweep (): void {
    this.#tick++
    while (this.#head !== undefined && this.#head.expiresAt <= this.#tick) {
      const call = this.#head
      this.#remove(call)
      call.expire(this.ms)
    }
    if (this.#head === undefined) this.#stop()
  }

  #stop (): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
