/** The last health check: its result, its duration in milliseconds, and its end (ISO 8601). */
export interface HealthReport { ok: boolean; latencyMs: number; at: string }

/** Pings Redis at an interval, also without traffic. The timer does not keep the process alive. */
export class Health {
  last: HealthReport | undefined
  readonly #timer: NodeJS.Timeout
  readonly #check: () => Promise<boolean>

  constructor (everyMs: number, check: () => Promise<boolean>) {
    this.#check = check
    this.#timer = setInterval(() => { void this.run() }, everyMs)
    this.#timer.unref()
  }

  async run (): Promise<boolean> {
    const began = performance.now()
    const isOk = await this.#check()
    this.last = { ok: isOk, latencyMs: Math.round((performance.now() - began) * 100) / 100, at: new Date().toISOString() }
    return isOk
  }

  close (): void {
    clearInterval(this.#timer)
  }
}
