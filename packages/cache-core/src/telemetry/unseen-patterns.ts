import type { Stats } from './counters.js'

/** Minutes after the start of the app, and reads since then, before a key pattern without a key is reported. */
const MINUTES = 10
const READS = 1000
/** The maximum number of letters in which a misspelt name differs from the name of a key pattern. */
const MISSPELT = 2

/** The key patterns that an option names, by name of the option. */
export type NamedPatterns = Readonly<Record<string, readonly string[]>>

/**
 * Reports key patterns that options name and no key has, if they are likely misspelt: keys have a pattern of a similar name. Their options
 * have no effect. Each is reported once. Other names are not reported: a job of the night, or a page that nobody opened, may have these keys.
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
      for (const pattern of patterns) {
        const similar = seen.has(pattern) ? undefined : [...seen].find((other) => isSimilar(pattern, other))
        if (similar !== undefined) this.#report(option, pattern, reads, similar)
      }
    }
  }

  #report (option: string, pattern: string, reads: number, similar: string): void {
    const id = `${option} ${pattern}`
    if (this.#reported.has(id)) return
    this.#reported.add(id)
    this.#onDoubt(pattern, `${option} names the key pattern ${pattern}, and no key of ${reads} reads has it, so it has no effect so far. Keys have the pattern ${similar}: compare the spelling`)
  }
}

/** Whether one name is likely the other one misspelt: few letters are missing, added or others, or one begins with the other. */
function isSimilar (one: string, other: string): boolean {
  const [a, b] = [one.toLowerCase(), other.toLowerCase()]
  return a.startsWith(b) || b.startsWith(a) || distance(a, b) <= Math.min(MISSPELT, Math.min(a.length, b.length) - 2)
}

/** Returns the number of letters to add, remove or replace between two texts (Levenshtein's distance). */
function distance (one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, at) => at)
  for (let line = 1; line <= one.length; line++) {
    const next = [line]
    for (let at = 1; at <= other.length; at++) {
      next.push(Math.min(row[at]! + 1, next[at - 1]! + 1, row[at - 1]! + (one[line - 1] === other[at - 1] ? 0 : 1)))
    }
    row = next
  }
  return row[other.length]!
}
