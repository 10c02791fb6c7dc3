import { decode, KnownHead, type VariantIndex } from './stored-response.js'

const MAX_KNOWN = 1000
/** The maximum size of all decoded heads of stored responses in bytes, in addition to the cache that holds the responses. */
const MAX_KNOWN_BYTES = 4 * 1024 * 1024

/** The bounded table of decoded heads, so that the head of a stored response is parsed once and not at each hit. */
export class KnownHeads {
  readonly #onCorrupt: (key: string) => void
  #byKey = new Map<string, KnownHead>()
  /**
   * The known heads of stored bytes that the cache gives as the same object at each read. A hit finds its head here without a comparison of
   * bytes, and without reading a weak reference, which is a call of V8's runtime.
   */
  #byBytes = new WeakMap<Uint8Array, KnownHead>()
  #bytes = 0

  /**
   * Makes an empty table.
   * @param onCorrupt called with the key of a stored value that is no response and no index
   */
  constructor (onCorrupt: (key: string) => void) {
    this.#onCorrupt = onCorrupt
  }

  /**
   * Returns the head of a stored response, or an index of variants; `undefined`: the stored value is neither.
   * @param isShared whether the cache gives the same object at each read
   */
  read (key: string, stored: unknown, isShared: boolean): KnownHead | VariantIndex | undefined {
    const known = isShared ? this.#byBytes.get(stored as Uint8Array) : this.#beginOf(key, stored)
    return known ?? this.#learn(key, stored, isShared)
  }

  /** Removes all heads, since the cache was cleared. */
  clear (): void {
    this.#byKey = new Map()
    this.#byBytes = new WeakMap()
    this.#bytes = 0
  }

  /** The known head of a key if the stored bytes begin with it. */
  #beginOf (key: string, stored: unknown): KnownHead | undefined {
    const known = this.#byKey.get(key)
    return known?.isIn(stored) === true ? known : undefined
  }

  /**
   * Remembers the head of stored bytes. Bytes that begin with the known head of their key, as after a further read of the store, are not
   * parsed.
   */
  #learn (key: string, stored: unknown, isShared: boolean): KnownHead | VariantIndex | undefined {
    const before = isShared ? this.#beginOf(key, stored) : undefined
    const kept = before === undefined ? decode(stored) : { response: before }
    if (kept === undefined) {
      this.#onCorrupt(key)
      return undefined
    }
    if ('index' in kept) return kept.index
    const known = new KnownHead(stored as Uint8Array, kept.response)
    this.#forget(key)
    this.#byKey.set(key, known)
    if (isShared) this.#byBytes.set(stored as Uint8Array, known)
    this.#bytes += known.bytes
    while (this.#byKey.size > MAX_KNOWN || this.#bytes > MAX_KNOWN_BYTES) this.#forget(this.#byKey.keys().next().value!)
    return known
  }

  #forget (key: string): void {
    const known = this.#byKey.get(key)
    if (known === undefined) return
    this.#byKey.delete(key)
    this.#bytes -= known.bytes
    const origin = known.origin.deref()
    if (origin !== undefined) this.#byBytes.delete(origin)
  }
}
