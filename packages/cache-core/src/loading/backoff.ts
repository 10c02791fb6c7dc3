import type { Clock } from '../lib/clock.js'
import { ownText } from '../lib/own-text.js'

/** Keys whose load failed recently while a stale value could be served. No new load of such a key starts until its backoff ends. */
export class Backoff {
  static readonly MAX_KEYS = 10_000
  readonly #until = new Map<string, number>()
  readonly #owner: { readonly clock: Clock }

  constructor (owner: { readonly clock: Clock }) {
    this.#owner = owner
  }

  /** Starts the backoff of a key after a failed load: for `ms` milliseconds no load of the key begins. */
  start (key: string, ms: number): void {
    this.#until.delete(key)
    if (this.#until.size >= Backoff.MAX_KEYS) this.#until.delete(this.#until.keys().next().value!)
    this.#until.set(ownText(key), this.#owner.clock.now() + ms)
  }

  isActive (key: string): boolean {
    if (this.#until.size === 0) return false
    const until = this.#until.get(key)
    if (until === undefined) return false
    if (until > this.#owner.clock.now()) return true
    this.#until.delete(key)
    return false
  }

  end (key: string): void {
    this.#until.delete(key)
  }
}
