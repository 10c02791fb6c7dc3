import type { Cache, CacheLeases, Entry, LeaseOptions, Lock, LockOptions, Lease, ReadHint, SetItem, SetOptions } from '../contract/cache.js'
import { schemaRefused } from '../contract/errors.js'
import { DONE, err, MISS, STORED_NULL, type Result } from '../contract/result.js'
import { declineNear, readNear, readNow, shareNear, shareNow, type Immediate, type NearReads, type SharedEntry } from '../contract/sync-read.js'
import type { ImplStats } from '../telemetry/counters.js'
import { NULL_MARKER } from './implementation-result.js'
import type { KeyRule, KeyRules } from './key-rule.js'

/**
 * The members of the contract without a key or value: they bypass the rules. Any other member is one that `CheckedCache` has to forward, or
 * the compilation fails: a new member would otherwise reach the implementation under the app's key.
 */
type Unkeyed = 'name' | 'passThrough' | 'isLocal' | 'tags' | 'leases' | 'clear' | 'health' | 'status' | 'close'
type UnkeyedOfLeases = 'isCurrent' | 'release'

/** The calls of an implementation with keys and values. */
export type KeyedCalls = Pick<Required<Cache>, Exclude<keyof Cache, Unkeyed>>

/** The calls of leases with keys. */
export type KeyedLeaseCalls = Pick<CacheLeases, Exclude<keyof CacheLeases, UnkeyedOfLeases>>

/**
 * An implementation behind the rules of key patterns: keys have the version of their pattern, a stored value that does not pass the schema
 * is a miss, and a value that does not pass is not stored. Calls for keys without a rule are those of the implementation.
 */
export class CheckedCache implements KeyedCalls, KeyedLeaseCalls, Immediate, NearReads {
  readonly #impl: Cache
  readonly #rules: KeyRules
  readonly #stats: ImplStats

  constructor (impl: Cache, rules: KeyRules, stats: ImplStats) {
    this.#impl = impl
    this.#rules = rules
    this.#stats = stats
  }

  [readNow]<T> (key: string): Result<T | null> {
    const rule = this.#rules.ruleOf(key)
    return this.#checked(rule, (this.#impl as Cache & Immediate)[readNow]<T>(keyBy(rule, key)))
  }

  [shareNow] (key: string): Result<SharedEntry | null> {
    const rule = this.#rules.ruleOf(key)
    return this.#checkedEntry(rule, (this.#impl as Cache & Immediate)[shareNow](keyBy(rule, key)))
  }

  [readNear]<T> (key: string): Result<T | null> | undefined {
    const rule = this.#rules.ruleOf(key)
    const result = (this.#impl as Cache & NearReads)[readNear]<T>(keyBy(rule, key))
    return result === undefined ? undefined : this.#checked(rule, result)
  }

  [shareNear] (key: string): Result<SharedEntry | null> | undefined {
    const rule = this.#rules.ruleOf(key)
    const result = (this.#impl as Cache & NearReads)[shareNear](keyBy(rule, key))
    return result === undefined ? undefined : this.#checkedEntry(rule, result)
  }

  [declineNear] (): void {
    (this.#impl as Cache & NearReads)[declineNear]?.()
  }

  get<T> (key: string): Promise<Result<T | null>> {
    const rule = this.#rules.ruleOf(key)
    const pending = this.#impl.get<T>(keyBy(rule, key))
    return rule === undefined ? pending : after(pending, (result) => this.#checked(rule, result))
  }

  getEntry<T> (key: string, hint?: ReadHint): Promise<Result<Entry<T> | null>> {
    const rule = this.#rules.ruleOf(key)
    const pending = this.#impl.getEntry!<T>(keyBy(rule, key), hint)
    return rule === undefined ? pending : after(pending, (result) => this.#checkedEntry(rule, result))
  }

  getMany<T> (keys: string[]): Promise<Result<(T | null)[]>> {
    const rules = keys.map((key) => this.#rules.ruleOf(key))
    return after(this.#impl.getMany!<T>(keys.map((key, at) => keyBy(rules[at], key))), (result) => {
      if (!isOk(result) || !Array.isArray(result.value)) return result
      return { ok: true, value: result.value.map((value, at) => value === null || this.#passes(rules[at], value) ? value : null) }
    })
  }

  set (key: string, value: unknown, ttl?: number | SetOptions): Promise<Result<void>> {
    const rule = this.#rules.ruleOf(key)
    return this.#mayStore(rule, value) ? this.#impl.set(keyBy(rule, key), value, ttl) : Promise.resolve(err(schemaRefused('set')))
  }

  setMany (items: SetItem[]): Promise<Result<void>> {
    const rules = items.map(({ key }) => this.#rules.ruleOf(key))
    const keyed = items.map((item, at) => ({ ...item, key: keyBy(rules[at], item.key) }))
    const right = keyed.filter(({ value }, at) => this.#mayStore(rules[at], value))
    const stored = right.length === 0 ? Promise.resolve(DONE) : this.#impl.setMany!(right)
    return right.length === items.length ? stored : after(stored, (result) => isOk(result) ? err(schemaRefused('setMany')) : result)
  }

  touch (key: string, ttl: number): Promise<Result<boolean>> {
    return this.#impl.touch!(keyBy(this.#rules.ruleOf(key), key), ttl)
  }

  del (key: string): Promise<Result<void>> {
    const rule = this.#rules.ruleOf(key)
    return rule === undefined ? this.#impl.del(key) : this.#remove(rule.removedBy(key))
  }

  delMany (keys: string[]): Promise<Result<void>> {
    return this.#impl.delMany!(keys.flatMap((key) => this.#rules.ruleOf(key)?.removedBy(key) ?? [key]))
  }

  take (key: string, options: LeaseOptions): Promise<Result<Lease>> {
    return this.#impl.leases!.take(keyBy(this.#rules.ruleOf(key), key), options)
  }

  lock (key: string, options: LockOptions): Promise<Result<Lock | null>> {
    return this.#impl.lock!(keyBy(this.#rules.ruleOf(key), key), options)
  }

  /** Removes several entries. The removal of each key is tried, and the first error is the result. */
  #remove (keys: string[]): Promise<Result<void>> {
    if (keys.length === 1) return this.#impl.del(keys[0]!)
    if (this.#impl.delMany !== undefined) return this.#impl.delMany(keys)
    return Promise.all(keys.map((key) => this.#impl.del(key))).then((results) => results.find((result) => !isOk(result)) ?? DONE)
  }

  #checked<T> (rule: KeyRule | undefined, result: Result<T | null>): Result<T | null> {
    if (rule === undefined || !isOk(result) || (result.value === null && result !== STORED_NULL)) return result
    return this.#passes(rule, result.value) ? result : MISS
  }

  #checkedEntry<E extends { value: unknown }> (rule: KeyRule | undefined, result: Result<E | null>): Result<E | null> {
    if (rule === undefined || !isOk(result) || typeof result.value !== 'object' || result.value === null) return result
    return this.#passes(rule, result.value.value) ? result : MISS
  }

  /** Whether a stored value matches the schema of its key pattern; otherwise it is counted as an error, and reported once per pattern. */
  #passes (rule: KeyRule | undefined, value: unknown): boolean {
    const why = rule?.refusal(value === NULL_MARKER ? null : value)
    if (rule === undefined || why === undefined || value === undefined) return true
    this.#stats.countError(schemaRefused('get'))
    this.#rules.report(rule, 'stored', why)
    return false
  }

  #mayStore (rule: KeyRule | undefined, value: unknown): boolean {
    const why = rule?.refusal(value === NULL_MARKER ? null : value)
    if (rule === undefined || why === undefined) return true
    this.#rules.report(rule, 'loaded', why)
    return false
  }
}

function keyBy (rule: KeyRule | undefined, key: string): string {
  return rule === undefined ? key : rule.keyOf(key)
}

/** Whether a result is ok. The result may be no `Result`, since an implementation of the app may return anything. */
function isOk<T> (result: Result<T>): result is { ok: true; value: T } {
  return typeof result === 'object' && result !== null && result.ok === true
}

/**
 * Returns the result of a call of the implementation after `change` was applied to it. The function is async, since an implementation of
 * the app may return no promise.
 */
async function after<T> (pending: Promise<T>, change: (result: T) => T): Promise<T> {
  return change(await pending)
}
