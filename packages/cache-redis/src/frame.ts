/** No JSON text, and no UTF-8 text at all, starts with this byte. */
export const FRAME = 0xc1
const VERSION = 1
const HEADER_BYTES = 8
const NO_TAG = ''

/** What a payload is. */
export const PAYLOAD_SERIALISED = 0
export const PAYLOAD_BYTES = 1

/** A tag of an entry with the token and the fence that it had before the value was loaded. */
export interface EntryTag { readonly tag: string; readonly token: string; readonly fence: string }

/** What the frame says of its payload. */
export interface FrameMeta {
  readonly payload: typeof PAYLOAD_SERIALISED | typeof PAYLOAD_BYTES
  /** Id of the compression; `0`: none. */
  readonly codec: number
  /** Milliseconds of the ttl and of the longer stale window. */
  readonly ttlMs: number
  readonly windowMs: number
  /** Fence of the master that the entry lies on, where its name does not tell. */
  readonly ownFence?: string | undefined
  readonly tags: readonly EntryTag[]
}

/**
 * One byte that no JSON text starts with, version, kind of payload, codec, length of the metadata (32 bit, big endian),
 * metadata as JSON, payload. The entry's own fence is written as that of a tag without a name.
 */
export function writeFrame (meta: FrameMeta, payload: Uint8Array): Buffer {
  const own = meta.ownFence === undefined ? [] : [NO_TAG, '', meta.ownFence]
  const rest = Buffer.from(JSON.stringify([meta.ttlMs, meta.windowMs, ...own, ...meta.tags.flatMap(({ tag, token, fence }) => [tag, token, fence])]))
  const frame = Buffer.allocUnsafe(HEADER_BYTES + rest.length + payload.length)
  frame[0] = FRAME
  frame[1] = VERSION
  frame[2] = meta.payload
  frame[3] = meta.codec
  frame.writeUInt32BE(rest.length, 4)
  rest.copy(frame, HEADER_BYTES)
  frame.set(payload, HEADER_BYTES + rest.length)
  return frame
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

/** The frame's parts; a string says what is wrong with it. */
export function readFrame (frame: Buffer): { meta: FrameMeta; payload: Buffer } | string {
  if (frame.length < HEADER_BYTES) return 'a truncated frame'
  if (frame[1] !== VERSION) return `a frame of version ${frame[1]}`
  const payload = frame[2]
  if (payload !== PAYLOAD_SERIALISED && payload !== PAYLOAD_BYTES) return 'a frame of an unknown kind'
  const end = HEADER_BYTES + frame.readUInt32BE(4)
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
  if (!Array.isArray(rest) || rest.length < 2 || rest.length % 3 !== 2) return undefined
  const ttlMs: unknown = rest[0]
  const windowMs: unknown = rest[1]
  if (!isDuration(ttlMs) || !isDuration(windowMs)) return undefined
  const tags: EntryTag[] = []
  let ownFence: string | undefined
  for (let at = 2; at < rest.length; at += 3) {
    const tag: unknown = rest[at]
    const token: unknown = rest[at + 1]
    const fence: unknown = rest[at + 2]
    if (typeof tag !== 'string' || typeof token !== 'string' || typeof fence !== 'string') return undefined
    if (tag === NO_TAG) ownFence = fence
    else tags.push({ tag, token, fence })
  }
  const metadata = { ttlMs, windowMs, ownFence, tags }
  if (text.length <= MAX_KNOWN_LENGTH) {
    if (known.size >= MAX_KNOWN) known.delete(known.keys().next().value!)
    known.set(text, metadata)
  }
  return metadata
}

function isDuration (value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}
