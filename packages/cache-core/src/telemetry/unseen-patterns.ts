import type { Stats } from './counters.js'

/** Minutes after the start of the app, and reads since then, before a key pattern without a key is reported. */
const MINUTES = 10
const READS = 1000
/** The maximum number of key patterns that the message lists. */
const LISTED = 8

/** The key patterns that an option names, by name of the option. */
export type NamedPatterns = Readonly<Record<string, readonly string[]>>

/**
 * Reports key patterns that options name and that no key has, such as a misspelt one, whose options then have no effect. Each is reported
 * once.
 */
export class UnseenPatterns {
  readonly #stats: Stats
  readonly #named: () => NamedPatterns
  readonly #onDoubt: (keyPattern: string, message: string) => void
  readonly #reported = new Set<string>()
  #minutes = 0

  constructor (stats: Stats, named: () => NamedPatterns, onDoubt: (keyPattern: string, message: string) => void) {
    this.#stats = stats
    this.#named = named
    this.#onDoubt = onDoubt
  }

  /** Compares the named patterns with those of the keys so far; called each minute. */
  look (): void {
    if (++this.#minutes < MINUTES) return
    const impls = [...this.#stats.impls.values()]
    const reads = impls.reduce((sum, impl) => sum + impl.totals().hits + impl.totals().misses, 0)
    if (reads < READS) return
    const seen = new Set(impls.flatMap(({ counters }) => [...counters.keys()]))
    for (const [option, patterns] of Object.entries(this.#named())) {
      for (const pattern of patterns) if (!seen.has(pattern)) this.#report(option, pattern, reads, seen)
    }
  }

  #report (option: string, pattern: string, reads: number, seen: ReadonlySet<string>): void {
    const id = `${option} ${pattern}`
    if (this.#reported.has(id)) return
    this.#reported.add(id)
    const others = [...seen].slice(0, LISTED).join(', ')
    this.#onDoubt(pattern, `${option} names the key pattern ${pattern}, and no key of ${reads} reads has it, so it has no effect so far. Keys have the patterns ${others}: compare the spelling, or leave it out`)
  }
}
