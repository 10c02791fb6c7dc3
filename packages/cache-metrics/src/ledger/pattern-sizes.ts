import type { SerializerName } from '@x/cache-core'
import type { Serializer } from '@x/cache-core/implementing'
import { isWithinBytes, toRichText, type Counters } from '@x/cache-core/suite'
import { HeldKeys } from './held-keys.js'

/** The number of first stores of a key pattern whose values are all measured. */
const FIRST_STORES = 8
/** After the first stores, one in this number of stores has its value measured. */
const EVERY = 16
/** The number of measured values over which the moving mean of sizes is taken; it is the same as for load durations. */
const MOVING_OVER = 16
/** The largest size, in bytes, that is measured; a larger value counts with this size, so that sums are lower bounds. */
const MAX_BYTES = 1 << 20

/** The bytes of one key pattern on one implementation: the total sizes of its hits and of its stores. */
class ByteSums {
  saved = 0
  stored = 0
  #hits = 0
  #sets = 0

  /** Adds the bytes of the hits and stores since the last call, by the mean size of a value. */
  value ({ hits, sets }: Counters, meanBytes: number): void {
    this.saved += (hits - this.#hits) * meanBytes
    this.stored += (sets - this.#sets) * meanBytes
    this.#hits = hits
    this.#sets = sets
  }
}

/**
 * The sizes of the values and keys of one key pattern, from a sample of its stores, and the sums of bytes that are computed from the sizes.
 */
export class PatternSizes {
  readonly held = new HeldKeys()
  #stores = 0
  #measured = 0
  #meanBytes = 0
  #meanKeyLength = 0
  readonly #sums = new Map<string, ByteSums>()

  /** The moving mean size of a stored value in bytes of its text; `undefined`: no value was measured. */
  get meanBytes (): number | undefined { return this.#measured === 0 ? undefined : this.#meanBytes }
  get meanKeyLength (): number { return this.#meanKeyLength }

  /** Counts a store; returns whether its value belongs to the sample, so that it should be measured. */
  isSampled (): boolean {
    const at = this.#stores++
    return at < FIRST_STORES || at % EVERY === 0
  }

  /**
   * Measures the size of a value as text: JSON for the serializer `json`, otherwise rich text. A serializer of the app's own is not called,
   * since its duration is not known. A value without a text is left out.
   */
  measure (key: string, value: unknown, serializer: SerializerName | Serializer = 'json'): void {
    const bytes = bytesOf(value, serializer !== 'json')
    if (bytes === undefined) return
    const share = 1 / Math.min(++this.#measured, MOVING_OVER)
    this.#meanBytes += (bytes - this.#meanBytes) * share
    this.#meanKeyLength += (key.length - this.#meanKeyLength) * share
  }

  /** Returns the sums of bytes of the key pattern on one implementation, brought up to date. */
  sumsOf (impl: string, counters: Counters): ByteSums {
    let sums = this.#sums.get(impl)
    if (sums === undefined) this.#sums.set(impl, sums = new ByteSums())
    if (this.#measured > 0) sums.value(counters, this.#meanBytes)
    return sums
  }
}

/**
 * Returns the size of a value in bytes, at most `MAX_BYTES`: the length of a `Uint8Array`, or else of the value's text. `undefined`: the
 * value has no text. Throws if a `toJSON` of the app throws.
 */
function bytesOf (value: unknown, isRich: boolean): number | undefined {
  if (typeof value === 'string') return Math.min(Buffer.byteLength(value), MAX_BYTES)
  if (value instanceof Uint8Array) return Math.min(value.byteLength, MAX_BYTES)
  if (!isWithinBytes(value, MAX_BYTES, isRich)) return MAX_BYTES
  const text = isRich ? toRichText(value).text : JSON.stringify(value) as string | undefined
  return text === undefined ? undefined : Math.min(Buffer.byteLength(text), MAX_BYTES)
}
