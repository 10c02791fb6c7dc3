import type { Stats } from './counters.js'
import { OTHER } from './key-pattern.js'

/** Minutes after the start of the app, and reads since then, before a key pattern without a key is reported. */
const MINUTES = 10
const READS = 1000
/** The length from which on a name may differ in two letters from the name that was meant; a shorter one in one letter. */
const LONG = 6

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
    const totals = impls.map((impl) => impl.totals())
    const reads = totals.reduce((sum, { hits, misses }) => sum + hits + misses, 0)
    if (reads < READS) return
    const seen = new Set(impls.flatMap(({ counters }) => [...counters.keys()]))
    const others = [...seen].filter((pattern) => pattern !== OTHER)
    for (const [option, patterns] of Object.entries(this.#named())) {
      for (const pattern of patterns) {
        const similar = seen.has(pattern) ? undefined : others.find((other) => isSimilar(pattern, other))
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

/**
 * Whether one name is likely the other one misspelt: one letter is missing, added, another one or in another case, in names of six letters
 * two of them. Names that differ in a digit, such as `v1` and `v2`, are two names.
 */
function isSimilar (one: string, other: string): boolean {
  const [a, b] = [one.toLowerCase(), other.toLowerCase()]
  const shorter = Math.min(a.length, b.length)
  const most = shorter >= LONG ? 2 : 1
  return shorter > 2 && Math.abs(a.length - b.length) <= most && isWithin(a, b, most) && digitsOf(a) === digitsOf(b)
}

function digitsOf (text: string): string {
  return text.replaceAll(/\D/g, '')
}

/** Whether at most `most` letters are to be added, removed or replaced between two texts. */
function isWithin (one: string, other: string, most: number): boolean {
  let at = 0
  while (at < one.length && one[at] === other[at]) at++
  if (at === one.length && at === other.length) return true
  if (most === 0) return false
  const [a, b] = [one.slice(at), other.slice(at)]
  return isWithin(a.slice(1), b.slice(1), most - 1) || isWithin(a.slice(1), b, most - 1) || isWithin(a, b.slice(1), most - 1)
}
