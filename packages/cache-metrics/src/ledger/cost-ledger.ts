import type { CacheRegistry } from '@x/cache-core'
import { CONTROL_LABEL, readStopwatch, type Counters } from '@x/cache-core/suite'
import { entryBytes } from '../advisor/entry-bytes.js'
import { hashKey } from '../advisor/hash.js'
import { ledgerRows, type Ledger, type LedgerNumbers } from '../advisor/report/ledger.js'
import { TimeBudget } from '../advisor/time-budget.js'
import { statusOf } from '../metrics/metric.js'
import { PatternSizes } from './pattern-sizes.js'

const ledgers = new WeakMap<CacheRegistry, CostLedger>()

/**
 * The cost ledger of one cache: the savings of its hits and its cost, by implementation and key pattern. Seconds are counted by the core.
 * Bytes are computed from the sizes of a sample of the stored values, which takes at most 1 % of the CPU time of the process.
 */
export class CostLedger {
  /** Returns the ledger of a cache. There is one ledger per cache, so that two apps with the same cache do not count a store twice. */
  static of (cache: CacheRegistry): CostLedger {
    let ledger = ledgers.get(cache)
    if (ledger === undefined) ledgers.set(cache, ledger = new CostLedger(cache))
    return ledger
  }

  readonly #cache: CacheRegistry
  readonly #began: number
  readonly #sizes = new Map<string, PatternSizes>()
  readonly #timeBudget = new TimeBudget(() => this.#cache.clock)

  private constructor (cache: CacheRegistry) {
    const { events, stats } = cache
    this.#cache = cache
    this.#began = cache.clock.now()
    events.on('stored', (key, keyPattern, value, _tags, lifetime) => { if (lifetime > 0) this.#noteStore(key, keyPattern, value, lifetime) })
    events.on('removed', (keys) => {
      for (const key of keys) this.#sizes.get(stats.patterns.of(key))?.held.remove(hashKey(key))
    })
    const empty = (): void => { for (const { held } of this.#sizes.values()) held.clear() }
    events.on('cleared', empty)
    // The sample of held keys is emptied: another implementation does not have the entries of the earlier one, or has entries that this
    // process did not store.
    events.on('swapped', empty)
  }

  report (): Ledger {
    return { seconds: (this.#cache.clock.now() - this.#began) / 1000, rows: ledgerRows(this.numbers()) }
  }

  /**
   * The numbers of each key pattern on each implementation that stored or found values of it.
   * @param wantsHeld `false`: without `heldBytes`, whose computation goes through all sampled keys
   */
  numbers (wantsHeld = true): LedgerNumbers[] {
    const { stats, active } = this.#cache
    const held = wantsHeld ? this.#heldBytes() : new Map<string, number>()
    const rows: LedgerNumbers[] = []
    for (const { label, counters } of stats.impls.values()) {
      if (label === CONTROL_LABEL) continue
      for (const each of counters.values()) {
        if (each.hits + each.misses + each.sets === 0) continue
        rows.push(this.#numbersOf(label, each, label === active.stats.label ? held.get(each.keyPattern) : undefined))
      }
    }
    return rows
  }

  #numbersOf (impl: string, counters: Counters, heldBytes: number | undefined): LedgerNumbers {
    const { keyPattern, hits, misses, sets, savedSeconds, loads: { succeeded } } = counters
    const { read, store, remove, refresh, serialize } = counters.costs
    const sizes = this.#sizes.get(keyPattern)
    const isSized = sizes?.meanBytes !== undefined
    const sums = sizes?.sumsOf(impl, counters)
    return {
      impl,
      keyPattern,
      reads: hits + misses,
      hits,
      stores: sets,
      savedSeconds: succeeded.count === 0 ? undefined : savedSeconds,
      meanLoadSeconds: succeeded.count === 0 ? undefined : succeeded.sum / succeeded.count,
      cost: { read, store, remove, refresh, serialize },
      savedBytes: isSized ? sums!.saved : undefined,
      storedBytes: isSized ? sums!.stored : undefined,
      heldBytes
    }
  }

  /**
   * The bytes that the implementation in service holds, by key pattern, estimated from the sampled keys. The estimates do not include
   * evictions, so if the implementation reports its bytes, those are divided among the patterns in proportion to the estimates.
   */
  #heldBytes (): Map<string, number> {
    const now = this.#cache.clock.now()
    const held = new Map<string, number>()
    for (const [keyPattern, { held: keys, meanBytes, meanKeyLength }] of this.#sizes) {
      if (meanBytes !== undefined) held.set(keyPattern, keys.count(now) * entryBytes(meanBytes, meanKeyLength))
    }
    const { memory } = statusOf(this.#cache)
    const all = [...held.values()].reduce((sum, each) => sum + each, 0)
    if (memory !== undefined && all > 0) for (const [keyPattern, estimate] of held) held.set(keyPattern, memory.bytes * estimate / all)
    return held
  }

  #noteStore (key: string, keyPattern: string, value: unknown, lifetime: number): void {
    let sizes = this.#sizes.get(keyPattern)
    if (sizes === undefined) this.#sizes.set(keyPattern, sizes = new PatternSizes())
    const hash = hashKey(key)
    const isMeasured = sizes.isSampled()
    // Most stores are neither measured nor of a key in the sample of held keys, so the clock is not read for them.
    if (!isMeasured && !sizes.held.has(hash)) return
    const now = this.#cache.clock.now()
    sizes.held.store(hash, now + lifetime * 1000, now)
    if (isMeasured && this.#timeBudget.has(now)) this.#measure(sizes, key, keyPattern, value)
  }

  #measure (sizes: PatternSizes, key: string, keyPattern: string, value: unknown): void {
    const { clock, stats, valueSerializer } = this.#cache
    const began = readStopwatch(clock)
    // The bytes of the hits and stores until now are added to the sums first, with the mean size before this measurement changes it.
    for (const { label, counters } of stats.impls.values()) {
      const each = counters.get(keyPattern)
      if (each !== undefined) sizes.sumsOf(label, each)
    }
    try {
      sizes.measure(key, value, valueSerializer)
    } finally {
      this.#timeBudget.spend(readStopwatch(clock) - began)
    }
  }
}
