const FIRST_CAPACITY = 1024
/** One array of eight bytes through which all numbers are written and read: an array per number would take longer than the number. */
const scratch = new DataView(new ArrayBuffer(8))

/** Thrown for stored bytes that are incomplete or damaged. The decoders of this folder turn it into a coded error. */
export class Malformed extends Error {}

/** Appends numbers to a growing array of bytes. */
export class ByteWriter {
  #bytes = new Uint8Array(FIRST_CAPACITY)
  #length = 0

  byte (value: number): void {
    if (this.#length === this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#bytes.length)
      larger.set(this.#bytes)
      this.#bytes = larger
    }
    this.#bytes[this.#length++] = value
  }

  /** Writes an integer from 0 to 2^53 - 1 as LEB128: seven bits per byte, the lowest first. */
  integer (value: number): void {
    while (value >= 128) {
      this.byte(value % 128 + 128)
      value = Math.floor(value / 128)
    }
    this.byte(value)
  }

  /** Writes a number as IEEE 754 binary64, little-endian. */
  double (value: number): void {
    scratch.setFloat64(0, value, true)
    for (let at = 0; at < 8; at++) this.byte(scratch.getUint8(at))
  }

  /** Writes numbers, most of which are zero, as runs: the number of zeros, the number of values that follow, and these values. */
  sparse (values: ArrayLike<number>, write: (value: number) => void): void {
    this.integer(values.length)
    for (let at = 0; at < values.length;) {
      let zeros = 0
      while (at + zeros < values.length && values[at + zeros] === 0) zeros++
      at += zeros
      let filled = 0
      while (at + filled < values.length && values[at + filled] !== 0) filled++
      this.integer(zeros)
      this.integer(filled)
      for (const end = at + filled; at < end; at++) write(values[at]!)
    }
  }

  integers (values: ArrayLike<number>): void {
    this.sparse(values, (value) => { this.integer(value) })
  }

  doubles (values: ArrayLike<number>): void {
    this.sparse(values, (value) => { this.double(value) })
  }

  /** Returns the bytes with a checksum (FNV-1a, 32 bit) at their end. */
  end (): Uint8Array {
    const sum = checksum(this.#bytes.subarray(0, this.#length))
    for (let shift = 0; shift < 32; shift += 8) this.byte(sum >>> shift & 0xff)
    return this.#bytes.slice(0, this.#length)
  }
}

/** Reads what a `ByteWriter` wrote. Each method throws `Malformed` for bytes that no `ByteWriter` writes. */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #end: number
  #at = 0

  /**
   * Creates a reader.
   * @throws `Malformed` if the checksum at the end is not that of the bytes
   */
  constructor (bytes: Uint8Array) {
    this.#end = bytes.length - 4
    if (this.#end < 0) throw new Malformed('too few bytes')
    const sum = checksum(bytes.subarray(0, this.#end))
    for (let at = 0; at < 4; at++) {
      if (bytes[this.#end + at] !== (sum >>> (8 * at) & 0xff)) throw new Malformed('bytes with a wrong checksum')
    }
    this.#bytes = bytes
  }

  byte (): number {
    if (this.#at >= this.#end) throw new Malformed('too few bytes')
    return this.#bytes[this.#at++]!
  }

  integer (max = Number.MAX_SAFE_INTEGER): number {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = this.byte()
      value += (byte & 127) * factor
      if (value > max) throw new Malformed('a number above its bound')
      if (byte < 128) return value
    }
  }

  double (): number {
    const eight = new Uint8Array(8)
    for (let at = 0; at < 8; at++) eight[at] = this.byte()
    const value = new DataView(eight.buffer).getFloat64(0, true)
    if (!Number.isFinite(value)) throw new Malformed('a number that is not finite')
    return value
  }

  /** Reads into an array that has the length of the array that was written. */
  sparse (into: { [at: number]: number, readonly length: number }, read: () => number): void {
    if (this.integer() !== into.length) throw new Malformed('an array of another length')
    for (let at = 0; at < into.length;) {
      at += this.integer(into.length - at)
      const filled = this.integer(into.length - at)
      if (filled === 0 && at < into.length) throw new Malformed('an empty run')
      for (const end = at + filled; at < end; at++) into[at] = read()
    }
  }

  integers (into: { [at: number]: number, readonly length: number }): void {
    this.sparse(into, () => this.integer())
  }

  doubles (into: { [at: number]: number, readonly length: number }): void {
    this.sparse(into, () => this.double())
  }

  /** Ends the reading. @throws `Malformed` if bytes are left. */
  end (): void {
    if (this.#at !== this.#end) throw new Malformed('too many bytes')
  }
}

function checksum (bytes: Uint8Array): number {
  let hash = 0x811c9dc5
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}
