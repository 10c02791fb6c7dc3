import { crc32 } from 'node:zlib'

const FIRST_CAPACITY = 1024
/** The maximum number of bytes of one encoded number. */
const NUMBER_BYTES = 8
const CHECKSUM_BYTES = 4

/** Thrown for stored bytes that are incomplete or damaged. The decoders of this folder turn it into a coded error. */
export class Malformed extends Error {}

/** Appends encoded numbers to an array of bytes, which grows as needed. */
export class ByteWriter {
  #bytes = new Uint8Array(FIRST_CAPACITY)
  #view = new DataView(this.#bytes.buffer)
  #length = 0

  byte (value: number): void {
    this.#makeRoom()
    this.#bytes[this.#length++] = value
  }

  /** Writes an integer from 0 to 2^53 - 1 as LEB128: seven bits per byte, the lowest first. */
  integer (value: number): void {
    this.#makeRoom()
    let rest = value
    while (rest >= 128) {
      this.#bytes[this.#length++] = rest % 128 + 128
      rest = Math.floor(rest / 128)
    }
    this.#bytes[this.#length++] = rest
  }

  /** Writes a number as IEEE 754 binary64, little-endian. */
  double (value: number): void {
    this.#makeRoom()
    this.#view.setFloat64(this.#length, value, true)
    this.#length += NUMBER_BYTES
  }

  #makeRoom (): void {
    if (this.#length + NUMBER_BYTES <= this.#bytes.length) return
    const larger = new Uint8Array(2 * this.#bytes.length)
    larger.set(this.#bytes)
    this.#bytes = larger
    this.#view = new DataView(larger.buffer)
  }

  /**
   * Writes an array of numbers, most of which are zero, as runs: the number of zeros, the number of values that follow, and these values.
   */
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

  /** Returns the written bytes with a checksum (CRC-32, little-endian) at their end. */
  end (): Uint8Array {
    this.#makeRoom()
    this.#view.setUint32(this.#length, crc32(this.#bytes.subarray(0, this.#length)), true)
    this.#length += CHECKSUM_BYTES
    return this.#bytes.slice(0, this.#length)
  }
}

/** Reads what a `ByteWriter` wrote. Each method throws `Malformed` for bytes that no `ByteWriter` writes. */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #end: number
  #at = 0

  /**
   * Creates a reader of encoded numbers.
   * @throws `Malformed` if the checksum at the end is not that of the bytes
   */
  constructor (bytes: Uint8Array) {
    this.#end = bytes.length - CHECKSUM_BYTES
    if (this.#end < 0) throw new Malformed('too few bytes')
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const sum = crc32(bytes.subarray(0, this.#end))
    if (this.#view.getUint32(this.#end, true) !== sum) throw new Malformed('bytes with a wrong checksum')
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
    if (this.#at + NUMBER_BYTES > this.#end) throw new Malformed('too few bytes')
    const value = this.#view.getFloat64(this.#at, true)
    this.#at += NUMBER_BYTES
    if (!Number.isFinite(value)) throw new Malformed('a number that is not finite')
    return value
  }

  /** Reads the numbers that `ByteWriter.sparse` wrote. `into` is filled with them; its length must be that of the written array. */
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

  /**
   * Ends the reading of the encoded numbers.
   * @throws `Malformed` if there are more bytes
   */
  end (): void {
    if (this.#at !== this.#end) throw new Malformed('too many bytes')
  }
}
