import { arrayBytes, AS_IS, BYTES, isOneByte, JSON_TEXT, objectBytes, textBytes, toStored, type Freezer, type StoredValue } from '@x/cache-core/suite'
import type { Node } from '../connection/node.js'
import type { DecodedPayload } from '../entries/codec.js'
import type { EntryTag } from '../entries/frame.js'

/** The form of a value as bytes, which a serializer other than JSON parses on each read. The other forms are those of a `MemoryCache`. */
export const SERIALISED = 3

/** The data of a copied entry in the near cache, besides its key and lifetimes. */
export interface NearEntry {
  readonly value: unknown
  /** The tokens that the copied entry depends on: the generation's, then those of its tags. */
  readonly proofs: readonly EntryTag[]
  readonly ttlMs: number | undefined
  /** The master that answered the read, and its identity, which the copied entry must have. */
  readonly node: Node
  readonly serverId: string
  /** The Cluster slot of the entry's Redis key; 0 outside of a Cluster. */
  readonly slot: number
  /** The version of the remembered tokens by which the copy was last found valid. */
  version: number
}

const ENTRY_BYTES = objectBytes(7)
const TAG_BYTES = objectBytes(3)

/**
 * Returns the form in which the near cache holds a value. With a `freezer` the value is frozen and shared; otherwise each reader gets a
 * copy, made from the JSON text, or by the serializer from a payload of another form.
 */
export function toNearValue ({ value, payload, isRaw }: DecodedPayload, isJson: boolean, freezer: Freezer | undefined): StoredValue {
  if (isRaw) return toStored({ kind: 'buffer', value: new Uint8Array(payload) }, undefined)
  if (!isJson) return { ...toStored({ kind: 'buffer', value: new Uint8Array(payload) }, undefined), kind: SERIALISED }
  if (typeof value === 'object' && value !== null) {
    return freezer === undefined
      ? toStored({ kind: 'json', text: payload.toString() }, undefined)
      : { kind: AS_IS, value, bytes: freezer.freeze(value, false) }
  }
  return toStored({ kind: 'plain', value: value as string | number | boolean | null }, undefined)
}

/** Returns the bytes of a copy on the heap, without its key; tokens that several copies share are counted for each of them. */
export function nearBytes (valueBytes: number, proofs: readonly EntryTag[]): number {
  let bytes = ENTRY_BYTES + valueBytes
  if (proofs.length === 1) return bytes
  bytes += arrayBytes(proofs.length)
  for (let at = 1; at < proofs.length; at++) {
    const { tag, token, serverId } = proofs[at]!
    bytes += TAG_BYTES + textBytes(tag.length, isOneByte(tag)) + textBytes(token.length, true) + textBytes(serverId.length, true)
  }
  return bytes
}

/** Returns the value of a copy for one reader: a separate copy, unless the value is frozen or cannot be changed. */
export function valueOf (kind: number, value: unknown, deserialize: (bytes: Buffer) => unknown): unknown {
  switch (kind) {
    case JSON_TEXT: return JSON.parse(value as string)
    case BYTES: return Buffer.from(value as Uint8Array)
    // The app's serializer may return parts of the bytes that it gets, so it gets a copy of the bytes.
    case SERIALISED: return deserialize(Buffer.from(value as Uint8Array))
    default: return value
  }
}
