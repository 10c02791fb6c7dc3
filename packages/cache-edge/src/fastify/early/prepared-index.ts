import { variantOf } from '@x/cache-core/suite'
import { variantKey } from '../../store/cache-key.js'
import type { EarlyRequest } from './early-request.js'

/** The maximum number of variants of a URL whose keys are remembered, and the approximate maximum size of an index in bytes. */
const MAX_VARIANTS = 200
const MAX_BYTES = 64 * 1024
/** The approximate number of bytes that the objects of an index and of a variant use, besides their texts. */
const INDEX_BYTES = 500
const VARIANT_BYTES = 100

/** The request headers in `Vary` of a URL with several variants, and the cache keys of these variants. */
export class PreparedIndex {
  readonly #vary: readonly string[]
  readonly #keys = new Map<string, string>()
  #bytes: number

  constructor (vary: readonly string[]) {
    this.#vary = vary
    this.#bytes = INDEX_BYTES + vary.reduce((sum, { length }) => sum + length, 0)
  }

  /** The approximate size of the index in the heap in bytes. */
  get bytes (): number { return this.#bytes }

  /** Returns the variant that a request selects, as text of its header values. */
  variantOf ({ headers }: EarlyRequest): string {
    return variantOf(this.#vary, headers)
  }

  /** Returns the cache key of a variant of the URL that a request asks for. */
  keyOf (variant: string, { key }: EarlyRequest): string {
    return this.#keys.get(variant) ?? variantKey(key, variant)
  }

  /**
   * Remembers the cache key of a variant that is stored. Keys of variants that are not stored are not remembered, since clients can request
   * any number of variants.
   * @returns the bytes by which the index has grown
   */
  remember (variant: string, key: string): number {
    const added = VARIANT_BYTES + variant.length + key.length
    if (this.#keys.has(variant) || this.#keys.size >= MAX_VARIANTS || this.#bytes + added > MAX_BYTES) return 0
    this.#keys.set(variant, key)
    this.#bytes += added
    return added
  }
}
