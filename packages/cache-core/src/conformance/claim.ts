import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import type { Cache, SetOptions } from '../contract/cache.js'
import type { Result } from '../contract/result.js'

/** Optional members of the contract `Cache`, which an implementation may lack. */
export type OptionalMember = 'getEntry' | 'getMany' | 'setMany' | 'delMany' | 'touch' | 'tags' | 'leases' | 'lock' | 'clear' | 'health'

/** A cache with all optional members of the contract; a claim uses only those that it lists in `needs`. */
export type FullCache = Cache & Required<Pick<Cache, OptionalMember>>

/** The source of time for the cache that the claims test: a fake clock, or real time. */
export interface Time {
  /**
   * Seconds of one unit of time. Lifetimes in the claims are multiples of the unit, so that a slow store can be tested with longer
   * lifetimes.
   */
  readonly unit: number
  /** Waits, or advances the fake clock, by a number of units (see `unit`). */
  pass (units: number): Promise<void>
}

/**
 * One sentence of the contract, and the function that checks it. `peer`: the cache of another process on the same store, or the same
 * cache.
 */
export interface Claim {
  readonly name: string
  /** The optional members of the contract that a cache must have for the claim to apply. */
  readonly needs?: readonly OptionalMember[]
  check (cache: FullCache, time: Time, peer: FullCache): Promise<void>
}

/** Adds an optional member of the contract to `needs` of each of the given claims, so that they apply only to a cache that has it. */
export function about (member: OptionalMember, claims: Claim[]): Claim[] {
  return claims.map((claim) => ({ ...claim, needs: [member, ...claim.needs ?? []] }))
}

/** Returns the value of a call that must succeed. */
export function valueOf<T> (result: Result<T>): T {
  assertResult(result)
  if (!result.ok) assert.fail(`expected ok, got ${result.error.code}: ${result.error.message}`)
  return result.value
}

/** Returns the error code of a call that must fail. */
export function codeOf (result: Result<unknown>): string {
  assertResult(result)
  if (result.ok) assert.fail('expected an error, got ok')
  return result.error.code
}

/** Asserts that the result of a call is a `Result`, whatever the arguments of the call were. */
export function assertResult (result: unknown): void {
  assert.ok(typeof result === 'object' && result !== null, `a Result is an object, got ${String(result)}`)
  const { ok, error } = result as { ok?: unknown; error?: unknown }
  if (ok === true) return
  assert.equal(ok, false, 'ok is true or false')
  assert.ok(error instanceof Error, 'a failed Result holds an Error')
  const { code } = error as { code?: unknown }
  assert.match(String(code), /^CACHE_ERR_[A-Z_]+$/, 'its error has a code')
}

/** Returns the fresh value of a key; the claim fails if `get` fails. */
export async function read (cache: Cache, key: string): Promise<unknown> {
  return valueOf(await cache.get(key))
}

/** Returns the fresh values of keys, read one after another. */
export async function readAll (cache: Cache, ...keys: string[]): Promise<unknown[]> {
  const values = []
  for (const key of keys) values.push(await read(cache, key))
  return values
}

/** Stores a value; the claim fails if `set` fails. */
export async function write (cache: Cache, key: string, value: unknown, ttl?: number | SetOptions): Promise<void> {
  valueOf(await cache.set(key, value, ttl))
}

/** Whether a call of the cache is still pending after the callbacks that were ready have run. */
export async function isPending (call: Promise<unknown>): Promise<boolean> {
  let pending = true
  const end = (): void => { pending = false }
  call.then(end, end)
  for (let turn = 0; turn < 5; turn++) await setImmediate()
  return pending
}
