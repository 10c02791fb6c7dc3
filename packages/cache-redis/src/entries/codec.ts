import { promisify } from 'node:util'
import { brotliCompress, brotliDecompress, constants, gunzip, gzip } from 'node:zlib'
import type { CacheError } from '@x/cache-core'
import { corrupt, tooLarge, valueInvalid } from '@x/cache-core/implementing'
import { Deadlines } from '@x/cache-core/suite'
import {
  FRAME, MAX_OVERHEAD_BYTES, PAYLOAD_BYTES, PAYLOAD_SERIALISED, readFrame, writeFrame, type EntryTag, type FrameMeta
} from './frame.js'
import { isTextual, type Serializer } from './serializers.js'

/**
 * A compression of stored values. Each stored entry contains the id of its compression, so that processes with different settings read each
 * other's entries. An entry whose compression takes longer than half of `commandTimeoutMs` is not stored.
 */
export interface Compression {
  /** The number that names the compression in an entry: 1 is gzip, 2 is brotli; compressions of the app's own use 128 to 255. */
  readonly id: number
  compress (bytes: Uint8Array): Promise<Uint8Array>
  /** Decompresses a value. The promise must reject if the decompressed value would have more than `maxBytes` bytes. */
  decompress (bytes: Uint8Array, maxBytes: number): Promise<Uint8Array>
}

const asyncGzip = promisify(gzip)
const asyncGunzip = promisify(gunzip)
const asyncBrotli = promisify(brotliCompress)
const asyncUnbrotli = promisify(brotliDecompress)

/** gzip at level 1, the fastest. */
export const gzipCompression: Compression = {
  id: 1,
  compress: (bytes) => asyncGzip(bytes, { level: 1 }),
  decompress: (bytes, maxBytes) => asyncGunzip(bytes, { maxOutputLength: maxBytes })
}

/** brotli at quality 4, which is fast enough to compress each stored value. */
export const brotliCompression: Compression = {
  id: 2,
  compress: (bytes) => asyncBrotli(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }),
  decompress: (bytes, maxBytes) => asyncUnbrotli(bytes, { maxOutputLength: maxBytes })
}

/** The settings of a `Codec`, which encodes entries: serializer, compression and limits. */
export interface CodecOptions {
  serializer: Serializer
  /** The size in bytes from which on values are compressed; `Infinity`: no value is compressed. */
  compressAboveBytes: number
  compression: Compression
  maxValueBytes: number
  /** Milliseconds that a compression of the app's own may take, in each direction. */
  limitMs: number
}

/** A serialised value: later changes of the original value do not change this one. `size`: its length in bytes. */
export interface Serialised { readonly kind: FrameMeta['payload']; readonly bytes: Uint8Array | string; readonly size: number }

/** A decoded entry; `ttlMs` is `undefined` for plain JSON. */
export interface Decoded {
  readonly value: unknown
  readonly ttlMs: number | undefined
  readonly windowMs: number
  readonly ownServerId?: string | undefined
  readonly tags: readonly EntryTag[]
}

/** A decoded entry with the decompressed bytes that its value was made from. `isRaw`: the bytes are the value. */
export interface DecodedPayload extends Decoded { readonly payload: Buffer; readonly isRaw: boolean }

const NO_TAGS: readonly EntryTag[] = []
const LARGER = 'more than maxValueBytes'

/** Encodes and decodes entries: plain text where a value needs no metadata, a frame otherwise. */
export class Codec {
  readonly #options: CodecOptions
  readonly #isTextual: boolean
  readonly #compressions: Map<number, Compression>
  readonly #limit: Deadlines

  constructor (options: CodecOptions) {
    this.#options = options
    // The timer of the time limit for compressions does not keep the process alive: callers have a time limit of their own.
    this.#limit = new Deadlines(options.limitMs, { holdsProcess: false })
    this.#isTextual = isTextual(options.serializer)
    this.#compressions = new Map([gzipCompression, brotliCompression, options.compression].map((each) => [each.id, each]))
  }

  serialise (value: unknown): Serialised | CacheError {
    let bytes: Uint8Array | string
    let kind: FrameMeta['payload'] = PAYLOAD_SERIALISED
    if (value instanceof Uint8Array) {
      bytes = Uint8Array.prototype.slice.call(value)
      kind = PAYLOAD_BYTES
    } else {
      try {
        bytes = this.#options.serializer.serialize(value)
      } catch (cause) {
        return valueInvalid('what the serializer refuses', { cause })
      }
    }
    const size = typeof bytes === 'string' ? Buffer.byteLength(bytes) : bytes.byteLength
    if (size > this.#options.maxValueBytes) return tooLarge(size, this.#options.maxValueBytes)
    return { kind, bytes, size }
  }

  /** Encodes a value with its metadata. Rejects with a `CacheError` if the compression fails. */
  async encode ({ kind, bytes, size }: Serialised, meta: Pick<FrameMeta, 'ttlMs' | 'windowMs' | 'ownServerId' | 'tags'>): Promise<Buffer | string> {
    const isLarge = size >= this.#options.compressAboveBytes
    const isPlain = this.#isTextual && kind === PAYLOAD_SERIALISED &&
      meta.windowMs === 0 && meta.ownServerId === undefined && meta.tags.length === 0
    if (isPlain && !isLarge) return bytes as string
    let payload = typeof bytes === 'string' ? Buffer.from(bytes) : bytes
    let codec = 0
    if (isLarge) {
      const smaller = await this.#compress(payload)
      if (smaller.byteLength < payload.byteLength) {
        payload = smaller
        codec = this.#options.compression.id
      } else if (isPlain) return bytes as string
    }
    return writeFrame({ payload: kind, codec, ...meta }, payload)
  }

  async #compress (payload: Uint8Array): Promise<Uint8Array> {
    let smaller: unknown
    try {
      smaller = await this.#inTime(this.#options.compression, (own) => own.compress(payload))
    } catch (cause) {
      throw valueInvalid('what the compression refuses', { cause })
    }
    if (!(smaller instanceof Uint8Array)) throw valueInvalid(`a value of which the compression made ${typeof smaller}`)
    return smaller
  }

  /** Runs a compression. A compression of the app has a time limit: if it hangs, it must not delay later writes or the breaker. */
  async #inTime (compression: Compression, use: (compression: Compression) => Promise<Uint8Array>): Promise<Uint8Array> {
    const pending = use(compression)
    if (compression === gzipCompression || compression === brotliCompression) return pending
    return await this.#limit.bound<Uint8Array, Uint8Array | Promise<Uint8Array>>(Promise.resolve(pending), (bytes) => bytes,
      (ms) => Promise.reject(new Error(`it did not end within ${ms} ms`)), (cause) => Promise.reject(cause))
  }

  /** Decodes an entry. Never throws: an entry that cannot be read, or is too large, gives `CACHE_ERR_CORRUPT`. */
  decode (stored: Buffer): DecodedPayload | CacheError | Promise<DecodedPayload | CacheError> {
    const { maxValueBytes } = this.#options
    if (stored.length > maxValueBytes && (stored[0] !== FRAME || stored.length - MAX_OVERHEAD_BYTES > maxValueBytes)) return corrupt('get', LARGER)
    if (stored[0] !== FRAME) {
      if (!this.#isTextual) return corrupt('get', 'no frame')
      try {
        const value = this.#options.serializer.deserialize(stored)
        return { value, ttlMs: undefined, windowMs: 0, tags: NO_TAGS, payload: stored, isRaw: false }
      } catch (cause) {
        return corrupt('get', 'neither a frame nor a text of the serializer', { cause })
      }
    }
    const frame = readFrame(stored)
    if (typeof frame === 'string') return corrupt('get', frame)
    const { meta, payload } = frame
    if (payload.length > maxValueBytes) return corrupt('get', LARGER)
    if (meta.codec === 0) return this.#open(meta, payload)
    const compression = this.#compressions.get(meta.codec)
    if (compression === undefined) return corrupt('get', `compression ${meta.codec}, which is unknown here`)
    return this.#inflate(compression, meta, payload)
  }

  async #inflate (compression: Compression, meta: FrameMeta, payload: Buffer): Promise<DecodedPayload | CacheError> {
    const { maxValueBytes } = this.#options
    let bytes: Uint8Array
    try {
      bytes = await this.#inTime(compression, (own) => own.decompress(payload, maxValueBytes))
    } catch (cause) {
      return corrupt('get', 'a payload that cannot be inflated', { cause })
    }
    if (!(bytes instanceof Uint8Array) || bytes.byteLength > maxValueBytes) return corrupt('get', 'a payload that inflates to what it may not')
    return this.#open(meta, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
  }

  #open (meta: FrameMeta, payload: Buffer): DecodedPayload | CacheError {
    const { ttlMs, windowMs, ownServerId, tags } = meta
    try {
      // The payload is copied if it is the value itself: it is part of a socket's buffer, which it shares with other replies.
      const isRaw = meta.payload === PAYLOAD_BYTES
      const value = isRaw ? Buffer.from(payload) : this.#options.serializer.deserialize(payload)
      return { value, ttlMs, windowMs, ownServerId, tags, payload, isRaw }
    } catch (cause) {
      return corrupt('get', 'a payload that cannot be read', { cause })
    }
  }
}
