import { checkTags, MAX_TAG_LENGTH, MAX_TAGS, MAX_TTL } from '@x/cache-core/implementing'
import { randomFillSync } from 'node:crypto'
import { MAX_SERVER_ID_LENGTH, MAX_TOKEN_LENGTH } from './bound-token.js'

/** The first byte of a frame; no UTF-8 text, and so no JSON text, contains this byte. */
export const FRAME = 0xc1
const VERSION = 2
const LENGTH_AT = 4
/** The position of the stamp in the header of a frame, in bytes. */
export const STAMP_AT = 8
/**
 * The length of the header of a frame (an entry's binary form) in bytes. It ends with a random stamp, which no other value or mark has; a new
 * lifetime leaves the stamp as it is.
 */
export const HEADER_BYTES = 16
const NO_TAG = ''
/**
 * The maximum length, in bytes, of the metadata that this package writes into a frame. JSON uses up to six bytes for a UTF-16 unit of a
 * tag.
 */
const MAX_METADATA_BYTES = (MAX_TAGS + 1) * (6 * MAX_TAG_LENGTH + MAX_TOKEN_LENGTH + MAX_SERVER_ID_LENGTH + 9) + 64
/** The maximum length, in bytes, of a frame's header and metadata together. */
export const MAX_OVERHEAD_BYTES = HEADER_BYTES + MAX_METADATA_BYTES

/** Kinds of a frame: a serialised value, raw bytes, or a mark, which reserves the place of an entry while its value is loaded. */
export const PAYLOAD_SERIALISED = 0
export const PAYLOAD_BYTES = 1
export const MARK = 2

/** A tag of an entry with its token before the load of the value, and the identity of the token's server. */
export interface EntryTag { readonly tag: string; readonly token: string; readonly serverId: string }

/** The metadata of a frame, which is the binary form of an entry. */
export interface FrameMeta {
  readonly payload: typeof PAYLOAD_SERIALISED | typeof PAYLOAD_BYTES
  /** The id of the compression of the entry's value; `0`: the value is not compressed. */
  readonly codec: number
  /** The ttl of the entry in milliseconds; `undefined`: only the expiry of the Redis key is known. */
  readonly ttlMs: number | undefined
  /** The length of the entry's longer stale window in milliseconds. */
  readonly windowMs: number
  /** The server identity of the master that has the entry; `undefined`: it is the one that is a part of the name of the entry's key in Redis. */
  readonly ownServerId?: string | undefined
  readonly tags: readonly EntryTag[]
}

/**
 * Writes a frame: the byte `FRAME`, version, kind, codec, length of the metadata (32 bit, big endian), 8 random bytes (the stamp),
 * metadata as JSON, payload. The entry's own server identity is written as that of a tag without a name.
 */
export function writeFrame (meta: FrameMeta, payload: Uint8Array): Buffer {
  const rest = metadataOf(meta)
  const frame = Buffer.allocUnsafe(HEADER_BYTES + rest.length + payload.length)
  writeHeader(frame, meta.payload, meta.codec, rest.length)
  rest.copy(frame, HEADER_BYTES)
  frame.set(payload, HEADER_BYTES + rest.length)
  return frame
}

/**
 * Returns the header and metadata of a frame with a new ttl. `head`: the present header and metadata; the stamp of the frame stays the
 * same.
 */
export function withTtl (head: Buffer, meta: FrameMeta, ttlMs: number): Buffer {
  const rest = metadataOf({ ...meta, ttlMs })
  const changed = Buffer.concat([head.subarray(0, HEADER_BYTES), rest])
  changed.writeUInt32BE(rest.length, LENGTH_AT)
  return changed
}

function metadataOf ({ ttlMs, windowMs, ownServerId, tags }: FrameMeta): Buffer {
  const own = ownServerId === undefined ? [] : [NO_TAG, '', ownServerId]
  const named = tags.flatMap(({ tag, token, serverId }) => [tag, token, serverId])
  return Buffer.from(JSON.stringify([ttlMs ?? null, windowMs, ...own, ...named]))
}

/**
 * Whether two headers have the same stamp, so that they belong to the same stored value or mark. Bytes that are too short for a header,
 * which foreign software wrote, are compared as a whole.
 */
export function hasSameStamp (header: Buffer, other: Buffer): boolean {
  if (header.length < HEADER_BYTES || other.length < HEADER_BYTES) return header.equals(other)
  return header.compare(other, STAMP_AT, HEADER_BYTES, STAMP_AT, HEADER_BYTES) === 0
}

/** Makes a new mark, which reserves the place of an entry: a frame without metadata and payload, unique by its random stamp. */
export function newMark (): Buffer {
  const mark = Buffer.allocUnsafe(HEADER_BYTES)
  writeHeader(mark, MARK, 0, 0)
  return mark
}

/** Returns a header and metadata for a plain JSON text: written before the text, they make it a frame. */
export function newPlainPrefix (): Buffer {
  return writeFrame({ payload: PAYLOAD_SERIALISED, codec: 0, ttlMs: undefined, windowMs: 0, tags: [] }, NO_BYTES)
}

/** Whether stored bytes are a mark: a load of the key is pending, and there is no entry. */
export function isMark (stored: Uint8Array): boolean {
  return stored.length === HEADER_BYTES && stored[0] === FRAME && stored[1] === VERSION && stored[2] === MARK
}

const NO_BYTES = new Uint8Array(0)

function writeHeader (frame: Buffer, kind: number, codec: number, metadataBytes: number): void {
  frame[0] = FRAME
  frame[1] = VERSION
  frame[2] = kind
  frame[3] = codec
  frame.writeUInt32BE(metadataBytes, LENGTH_AT)
  randomFillSync(frame, STAMP_AT, HEADER_BYTES - STAMP_AT)
}

/** The parsed metadata of a frame: lifetimes, the entry's own server identity, and tags. */
type Metadata = Pick<FrameMeta, 'ttlMs' | 'windowMs' | 'ownServerId' | 'tags'>

/**
 * The parsed metadata of frames, by its JSON text. An entry that is read often has the same metadata text each time. Parsing this text
 * would take as long as parsing a small value.
 */
const known = new Map<string, Metadata>()
const MAX_KNOWN = 1000
const MAX_KNOWN_LENGTH = 500

/**
 * Parses a frame, the binary form of an entry; returns a string that describes the error if the frame is invalid. Metadata beyond the
 * limits of this package is refused: foreign software may have written the frame.
 */
export function readFrame (frame: Buffer): { meta: FrameMeta; payload: Buffer } | string {
  if (frame.length < HEADER_BYTES) return 'a truncated frame'
  if (frame[1] !== VERSION) return `a frame of version ${frame[1]}`
  const payload = frame[2]
  if (payload !== PAYLOAD_SERIALISED && payload !== PAYLOAD_BYTES) return 'a frame of an unknown kind'
  const metadataBytes = frame.readUInt32BE(LENGTH_AT)
  if (metadataBytes > MAX_METADATA_BYTES) return 'a frame with too much metadata'
  const end = HEADER_BYTES + metadataBytes
  if (end > frame.length) return 'a truncated frame'
  const text = frame.toString('utf8', HEADER_BYTES, end)
  const metadata = known.get(text) ?? parseMetadata(text)
  if (metadata === undefined) return 'broken metadata'
  const { ttlMs, windowMs, ownServerId, tags } = metadata
  return { meta: { payload, codec: frame[3]!, ttlMs, windowMs, ownServerId, tags }, payload: frame.subarray(end) }
}

function parseMetadata (text: string): Metadata | undefined {
  let rest: unknown
  try {
    rest = JSON.parse(text)
  } catch {
    return undefined
  }
  // The maximum length includes one further tag with an empty name, which contains the entry's own server identity.
  if (!Array.isArray(rest) || rest.length < 2 || rest.length % 3 !== 2 || rest.length > 2 + 3 * (MAX_TAGS + 1)) return undefined
  const ttlMs: unknown = rest[0] ?? undefined
  const windowMs: unknown = rest[1]
  if (!(ttlMs === undefined || isDuration(ttlMs)) || !isDuration(windowMs)) return undefined
  const tags: EntryTag[] = []
  let ownServerId: string | undefined
  for (let at = 2; at < rest.length; at += 3) {
    const tag: unknown = rest[at]
    const token: unknown = rest[at + 1]
    const serverId: unknown = rest[at + 2]
    if (typeof tag !== 'string' || !isText(token, MAX_TOKEN_LENGTH) || !isText(serverId, MAX_SERVER_ID_LENGTH)) return undefined
    if (tag === NO_TAG) ownServerId = serverId
    else tags.push({ tag, token, serverId })
  }
  if (checkTags(tags.map(({ tag }) => tag)) !== undefined) return undefined
  const metadata = { ttlMs, windowMs, ownServerId, tags }
  if (text.length <= MAX_KNOWN_LENGTH) {
    if (known.size >= MAX_KNOWN) known.delete(known.keys().next().value!)
    known.set(text, metadata)
  }
  return metadata
}

function isDuration (value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= MAX_TTL * 1000
}

function isText (value: unknown, maxLength: number): value is string {
  return typeof value === 'string' && value.length <= maxLength
}
