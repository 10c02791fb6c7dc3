/** The settings of a `Breaker`, the circuit breaker in front of Redis. */
export interface BreakerOptions {
  /**
   * Milliseconds of the sliding window in which calls of Redis are counted.
   * @default 10 000
   */
  windowMs: number
  /**
   * The number of calls to Redis, in the window of the breaker, below which the breaker never opens.
   * @default 20
   */
  minimumCalls: number
  /**
   * Share of failed calls of Redis at which the breaker opens, 0 to 1.
   * @default 0.5
   */
  errorRate: number
  /**
   * Milliseconds between the probes of Redis while the breaker is open.
   * @default 1000
   */
  probeMs: number
}

/** `closed`: Redis is in service; `open`: no call of Redis is made; `half-open`: one probe is pending. */
export type BreakerState = 'closed' | 'half-open' | 'open'

/** The functions that a `Breaker` calls. */
export interface BreakerDeps {
  readonly now: () => number
  /** Resolves with `true` when Redis answers and has acknowledged all waiting removals. Never rejects. */
  readonly probe: () => Promise<boolean>
  readonly changed: (state: BreakerState) => void
}

const SLICES = 10

/** A circuit breaker: calls fail fast while Redis is down, and one probe at a time tests Redis. */
export class Breaker {
  #state: BreakerState
  readonly #options: BreakerOptions
  readonly #deps: BreakerDeps
  readonly #calls = new Array<number>(SLICES).fill(0)
  readonly #failures = new Array<number>(SLICES).fill(0)
  #slice = 0
  #sliceEndsAt = 0
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor (options: BreakerOptions, deps: BreakerDeps, state: BreakerState) {
    this.#options = options
    this.#deps = deps
    this.#state = state
    if (state === 'open') this.#probeLater()
  }

  get state (): BreakerState { return this.#state }
  get isOpen (): boolean { return this.#state !== 'closed' }

  success (): void {
    if (this.#state === 'closed') this.#calls[this.#turn()]!++
  }

  failure (): void {
    if (this.#state !== 'closed') return
    const slice = this.#turn()
    this.#calls[slice]!++
    this.#failures[slice]!++
    const calls = sum(this.#calls)
    if (calls >= this.#options.minimumCalls && sum(this.#failures) >= calls * this.#options.errorRate) this.open()
  }

  open (): void {
    if (this.#isClosed || this.#state !== 'closed') return
    this.#become('open')
    this.#probeLater()
  }

  /** Probes Redis at once, without waiting until `probeMs` has passed. */
  async probe (): Promise<void> {
    if (this.#state !== 'open' || this.#isClosed) return
    clearTimeout(this.#timer)
    this.#become('half-open')
    if (await this.#deps.probe()) {
      if (this.#isClosed) return
      this.#calls.fill(0)
      this.#failures.fill(0)
      this.#become('closed')
    } else if (!this.#isClosed) {
      this.#become('open')
      this.#probeLater()
    }
  }

  close (): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
  }

  #become (state: BreakerState): void {
    this.#state = state
    this.#deps.changed(state)
  }

  #probeLater (): void {
    this.#timer = setTimeout(() => { void this.probe() }, this.#options.probeMs)
    this.#timer.unref()
  }

  /** Returns the index of the current slice of the breaker's time window; slices that have passed since the last call are emptied. */
  #turn (): number {
    const now = this.#deps.now()
    const span = this.#options.windowMs / SLICES
    if (now < this.#sliceEndsAt) return this.#slice
    const passed = this.#sliceEndsAt === 0 ? SLICES : Math.min(SLICES, 1 + Math.floor((now - this.#sliceEndsAt) / span))
    for (let turn = 0; turn < passed; turn++) {
      this.#slice = (this.#slice + 1) % SLICES
      this.#calls[this.#slice] = 0
      this.#failures[this.#slice] = 0
    }
    this.#sliceEndsAt = now + span
    return this.#slice
  }
}

function sum (numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}
