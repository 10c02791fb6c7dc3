import type { Freshness } from '@x/cache-core/suite'
import { MAX_KEY_LENGTH } from '@x/cache-core/implementing'

/** A stored response without its body: its headers, validators, freshness and selecting headers. */
export interface StoredHead {
  readonly status: number
  /** The header fields of the response, with lower-case names; a field that was sent in several lines is a list. */
  readonly headers: Readonly<Record<string, string | string[]>>
  /** Whether hooks receive the stored body as a string, since the handler sent a string or an object. */
  readonly isText: boolean
  /** The `ETag` of the representation; `undefined`: it has no entity tag. */
  readonly etag: string | undefined
  /** Whether the ETag was computed from exactly this body; otherwise the app set it. */
  readonly isTagOfBody?: boolean
  /** `Content-Type` and `Content-Language` as hooks before the handler had set them; absent: hooks set neither. */
  readonly labels?: Readonly<Record<string, string>>
  /** The time at which the response was received, in milliseconds of the epoch. */
  readonly receivedAt: number
  readonly freshness: Freshness
  /** The names of the request headers that select the response; `variant` has their values, as `variantOf` writes them. */
  readonly vary: readonly string[]
  readonly variant: string
  readonly tags: readonly string[]
}

/** A response as the handler sent it, before any onSend hook ran, with its freshness. */
export interface StoredResponse extends StoredHead { readonly body: Buffer }

/** The index of a URL with several stored responses (variants), with the names of the request headers that select one of them. */
export interface VariantIndex {
  readonly vary: readonly string[]
  /** The cache keys of the URL's variants. */
  readonly variants: readonly string[]
  /**
   * The expiry of each of the URL's variants in milliseconds of the epoch, in the order of `variants`. Absent: an earlier version wrote the
   * index, and all variants expire at `until`.
   */
  readonly untils?: readonly number[]
  /** The expiry of the URL's last variant, in milliseconds of the epoch. */
  readonly until: number
}

/** Headers that are not stored, since they belong to one connection or are written for each response. */
export const NOT_STORED = new Set([
  'connection', 'keep-alive', 'proxy-authenticate', 'proxy-authentication-info', 'proxy-authorization', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade',
  'content-length', 'set-cookie', 'age', 'cache-status', 'etag'
])

const RESPONSE = 1
const INDEX = 2
const HEADER_BYTES = 5
/** The maximum length of a stored body that is remembered as text, in characters. */
const MAX_TEXT = 16_384
/** Limits of a decoded index of variants: `MAX_PLACES` is the largest `maxVariants`, and `MAX_NAMES` is more than a useful `Vary` has. */
const MAX_PLACES = 10_000
const MAX_NAMES = 1000
const FIELD_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]+$/
// The characters that Node allows in a header value: no control characters, no characters beyond Latin-1.
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/** Encodes a stored response: one byte for the kind, the length of the JSON (32 bit, big endian), the JSON, the body. */
export function encodeResponse (response: StoredResponse): Buffer {
  const { body, ...meta } = response
  return pack(RESPONSE, meta, body)
}

/** Encodes the index of a URL's variants in the same form as a stored response, with an empty body. */
export function encodeIndex (index: VariantIndex): Buffer {
  return pack(INDEX, index, Buffer.alloc(0))
}

/**
 * Decodes a stored response or an index of variants; `undefined`: the value does not have this exact form, which is possible since other
 * software may write to the same store.
 */
export function decode (stored: unknown): { readonly response: StoredResponse } | { readonly index: VariantIndex } | undefined {
  if (!(stored instanceof Uint8Array) || stored.byteLength < HEADER_BYTES) return undefined
  const bytes = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength)
  const end = HEADER_BYTES + bytes.readUInt32BE(1)
  if (end > bytes.length) return undefined
  let meta: unknown
  try {
    meta = JSON.parse(bytes.toString('utf8', HEADER_BYTES, end))
  } catch {
    return undefined
  }
  if (bytes[0] === RESPONSE && isMeta(meta)) return { response: { ...meta, body: bytes.subarray(end) } }
  if (bytes[0] === INDEX && isIndex(meta) && end === bytes.length) return { index: meta }
  return undefined
}

/**
 * The decoded head of a stored response: everything except the body. Stored bytes that begin with the bytes of this head need not be parsed
 * again.
 */
export class KnownHead {
  readonly head: StoredHead
  /** The approximate size of the decoded head in the heap in bytes, with the text of a body that may be remembered here. */
  readonly bytes: number
  /** The stored bytes for which this object was made. The reference is weak, so that a response that the cache evicted is freed. */
  readonly origin: WeakRef<Uint8Array>
  readonly #bytes: Buffer
  #text: string | undefined

  /**
   * Remembers the head of stored bytes.
   * @param of the decoded response, or the known head with which the stored bytes begin
   */
  constructor (stored: Uint8Array, of: StoredResponse | KnownHead) {
    this.origin = new WeakRef(stored)
    if (of instanceof KnownHead) {
      this.#bytes = of.#bytes
      this.head = of.head
      this.bytes = of.bytes
      return
    }
    const { body, ...head } = of
    this.#bytes = Buffer.from(stored.subarray(0, stored.byteLength - body.length))
    this.head = head
    // The size includes the bytes of the head and the objects that were parsed from them, which need three times the bytes of their JSON.
    this.bytes = 4 * this.#bytes.length + (head.isText && body.length <= MAX_TEXT ? 2 * body.length : 0)
  }

  /** Whether a stored response begins with this head. */
  isIn (stored: unknown): stored is Uint8Array {
    return stored instanceof Uint8Array && stored.byteLength >= this.#bytes.length &&
      this.#bytes.compare(stored, 0, this.#bytes.length) === 0
  }

  /** The body of a stored response that begins with this head, as a view of the same memory. */
  bodyIn (stored: Uint8Array): Buffer {
    const start = this.#bytes.length
    return Buffer.from(stored.buffer, stored.byteOffset + start, stored.byteLength - start)
  }

  /**
   * The body of a stored response as it is sent at the least cost: a short text as the remembered string, which Node writes together with
   * the head, and any other body as the stored bytes, since a long text would be decoded and encoded at each hit.
   * @param isOrigin see `textIn`
   */
  sendableIn (stored: Uint8Array, isOrigin: boolean): string | Buffer {
    return this.head.isText && stored.byteLength - this.#bytes.length <= MAX_TEXT ? this.textIn(stored, isOrigin) : this.bodyIn(stored)
  }

  /**
   * The body of a stored response as text. A short text is remembered; it needs no copy, since a string is immutable.
   * @param isOrigin whether the stored bytes are those for which this object was made; the text of no other bytes is remembered
   */
  textIn (stored: Uint8Array, isOrigin: boolean): string {
    if (isOrigin && this.#text !== undefined) return this.#text
    const text = this.bodyIn(stored).toString()
    if (isOrigin && text.length <= MAX_TEXT) this.#text = text
    return text
  }
}

function pack (kind: number, meta: object, body: Buffer): Buffer {
  const text = Buffer.from(JSON.stringify(meta))
  const packed = Buffer.allocUnsafe(HEADER_BYTES + text.length + body.length)
  packed[0] = kind
  packed.writeUInt32BE(text.length, 1)
  text.copy(packed, HEADER_BYTES)
  body.copy(packed, HEADER_BYTES + text.length)
  return packed
}

function isMeta (meta: any): meta is StoredHead {
  return isObject(meta) && Number.isInteger(meta.status) && meta.status >= 200 && meta.status <= 599 &&
    meta.status !== 206 && meta.status !== 304 &&
    isObject(meta.headers) && Object.entries(meta.headers).every(([name, value]) => isField(name, value)) &&
    (meta.etag === undefined || (typeof meta.etag === 'string' && FIELD_VALUE.test(meta.etag))) &&
    (meta.labels === undefined || (isObject(meta.labels) && areTexts(Object.values(meta.labels)))) &&
    (meta.isTagOfBody === undefined || typeof meta.isTagOfBody === 'boolean') && Number.isSafeInteger(meta.receivedAt) && typeof meta.isText === 'boolean' && isFreshness(meta.freshness) &&
    areTexts(meta.vary) && typeof meta.variant === 'string' && areTexts(meta.tags)
}

function isIndex (meta: any): meta is VariantIndex {
  if (!isObject(meta) || !areTexts(meta.vary) || !areTexts(meta.variants) || !Number.isFinite(meta.until)) return false
  const { vary, variants, untils } = meta
  if (
    vary.length > MAX_NAMES || variants.length > MAX_PLACES || ![...vary, ...variants].every(({ length }) => length <= MAX_KEY_LENGTH)
  ) return false
  return untils === undefined || (Array.isArray(untils) && untils.length === variants.length && untils.every(Number.isFinite))
}

function isFreshness (value: any): value is Freshness {
  return isObject(value) && ['lifetime', 'initialAge', 'staleWhileRevalidate', 'staleIfError'].every((name) => typeof value[name] === 'number' && value[name] >= 0 && value[name] <= Number.MAX_SAFE_INTEGER) &&
    ['isExplicit', 'mustRevalidate', 'noCache'].every((name) => typeof value[name] === 'boolean')
}

function isField (name: string, value: unknown): boolean {
  if (!FIELD_NAME.test(name) || NOT_STORED.has(name) || name === '__proto__') return false
  return (Array.isArray(value) ? value : [value]).every((line) => typeof line === 'string' && FIELD_VALUE.test(line))
}

function isObject (value: unknown): value is Record<string, any> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function areTexts (value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string')
}
