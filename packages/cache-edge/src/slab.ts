const SLAB_BYTES = 64 * 1024

/** Cuts copies from larger pieces of memory: to allocate a Buffer beyond Node's pool takes longer than to fill it. */
export class Slab {
  /** Bytes up to which a copy shares its piece with others; a slow client keeps a piece in memory. */
  static readonly MAX_COPY = SLAB_BYTES / 4
  #piece = Buffer.alloc(0)
  #used = 0

  /** A copy that nobody else holds. */
  copy (bytes: Uint8Array): Buffer {
    const { length } = bytes
    if (length > Slab.MAX_COPY) return Buffer.from(bytes)
    if (this.#used + length > this.#piece.length) {
      this.#piece = Buffer.allocUnsafeSlow(SLAB_BYTES)
      this.#used = 0
    }
    const copy = this.#piece.subarray(this.#used, this.#used + length)
    copy.set(bytes)
    this.#used += length
    return copy
  }
}
