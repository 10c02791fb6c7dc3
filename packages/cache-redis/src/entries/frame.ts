import { checkTags, MAX_TAG_LENGTH, MAX_TAGS, MAX_TTL } from '@x/cache-core/implementing'
import { randomFillSync } from 'node:crypto'
import { MAX_FENCE_LENGTH, MAX_TOKEN_LENGTH } from './birthplace.js'

/** No JSON text, and no UTF-8 text at all, starts with this byte. */
export const FRAME = 0xc1
const VERSION = 2
const LENGTH_AT = 4
const STAMP_AT = 8
/** Bytes of the header. Its stamp makes the header of each stored frame unlike that of any other. */
export const HEADER_BYTES = 16
const NO_TAG = ''
/** The longest metadata that this package writes: JSON takes up to six bytes for a UTF-16 unit of a tag. */
const MAX_METADATA_BYTES = (MAX_TAGS + 1) * (6 * MAX_TAG_LENGTH + MAX_TOKEN_LENGTH + MAX_FENCE_LENGTH + 9) + 64
/** Bytes of a frame beside its payload, at most. */
export const MAX_OVERHEAD_BYTES = HEADER_BYTES + MAX_METADATA_BYTES

/** Kinds of a frame: a serialised value, raw bytes, or a mark, which holds the place of an entry while its value is loaded. */
export const PAYLOAD_SERIALISED = 0
export const PAYLOAD_BYTES = 1
export const MARK = 2

/** A tag of an entry with the token and the fence that it had before the value was loaded. */
export interface EntryTag { readonly tag: string; readonly token: string; readonly fence: string }

/** What the frame says of its payload. */
export interface FrameMeta {
  readonly payload: typeof PAYLOAD_SERIALISED | typeof PAYLOAD_BYTES
  /** Id of the compression; `0`: none. */
  readonly codec: number
  /** Milliseconds of the ttl; `undefined` where only Redis's own time to live tells it. */
  readonly ttlMs: number | undefined
  /** Milliseconds of the longer stale window. */
  readonly windowMs: number
  /** Fence of the master that the entry lies on, where its name does not tell. */
  readonly ownFence?: string | undefined
  readonly tags: readonly EntryTag[]
}

/**
 * One byte that no JSON text starts with, version, kind, codec, length of the metadata (32 bit, big endian), 8 random bytes (the
 * stamp), metadata as JSON, payload. The entry's own fence is written as that of a tag without a name.
 */
export function writeFrame (meta: FrameMeta, payload: Uint8Array): Buffer {
  const own = meta.ownFence === undefined ? [] : [NO_TAG, '', meta.ownFence]
  const rest = Buffer.from(JSON.stringify([meta.ttlMs ?? null, meta.windowMs, ...own, ...meta.tags.flatMap(({ tag, token, fence }) => [tag, token, fence])]))
  const frame = Buffer.allocUnsafe(HEADER_BYTES + rest.length + payload.length)
  writeHeader(frame, meta.payload, meta.codec, rest.length)
  rest.copy(frame, HEADER_BYTES)
  frame.set(payload, HEADER_BYTES + rest.length)
  return frame
}

/** A frame without metadata and payload, which no other frame equals. */
export function newMark (): Buffer {
  const mark = Buffer.allocUnsafe(HEADER_BYTES)
  writeHeader(mark, MARK, 0, 0)
  return mark
}

/** The bytes that turn a plain JSON text into a frame when they are put before it. */
export function newPlainPrefix (): Buffer {
  return writeFrame({ payload: PAYLOAD_SERIALISED, codec: 0, ttlMs: undefined, windowMs: 0, tags: [] }, NO_BYTES)
}

/** Whether stored bytes are a mark: a load of the key is under way, and there is no entry. */
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

/** What the metadata text says. */
type Metadata = Pick<FrameMeta, 'ttlMs' | 'windowMs' | 'ownFence' | 'tags'>

/**
 * Metadata that was read before. An entry has the same until it is stored anew, and what is read often is read here again and
 * again; parsing it takes as long as parsing a small value.
 */
const known = new Map<string, Metadata>()
const MAX_KNOWN = 1000
const MAX_KNOWN_LENGTH = 500

/** The frame's parts; a string says what is wrong with it. What breaks a limit of writing is refused: the frame may be another's. */
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
  const { ttlMs, windowMs, ownFence, tags } = metadata
  return { meta: { payload, codec: frame[3]!, ttlMs, windowMs, ownFence, tags }, payload: frame.subarray(end) }
}

function parseMetadata (text: string): Metadata | undefined {
  let rest: unknown
  try {
    rest = JSON.parse(text)
  } catch {
    return undefined
  }
  // The entry's own fence is written as one tag more.
  if (!Array.isArray(rest) || rest.length < 2 || rest.length % 3 !== 2 || rest.length > 2 + 3 * (MAX_TAGS + 1)) return undefined
  const ttlMs: unknown = rest[0] ?? undefined
  const windowMs: unknown = rest[1]
  if (!(ttlMs === undefined || isDuration(ttlMs)) || !isDuration(windowMs)) return undefined
  const tags: EntryTag[] = []
  let ownFence: string | undefined
  for (let at = 2; at < rest.length; at += 3) {
    const tag: unknown = rest[at]
    const token: unknown = rest[at + 1]
    const fence: unknown = rest[at + 2]
    if (typeof tag !== 'string' || !isText(token, MAX_TOKEN_LENGTH) || !isText(fence, MAX_FENCE_LENGTH)) return undefined
    if (tag === NO_TAG) ownFence = fence
    else tags.push({ tag, token, fence })
  }
  if (checkTags(tags.map(({ tag }) => tag)) !== undefined) return undefined
  const metadata = { ttlMs, windowMs, ownFence, tags }
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
