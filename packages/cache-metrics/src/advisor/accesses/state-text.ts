import { MAX_TTL } from '@x/cache-core/implementing'
import { Type, type Static } from 'typebox'
import { Value } from 'typebox/value'
import { HASHES } from '../hash.js'
import { TAG } from '../curve/access-kinds.js'
import { MAX_TAGS } from '../curve/entry-tags.js'
import { MAX_EARLIER_LEAKS } from '../key-leak/earlier-leaks.js'
import type { SampledKeys } from '../curve/key-sample.js'
import type { AdviceState, MeasuredNumbers, SubjectState } from './advice-state.js'
import { strataOf, type SavedRing } from './sampled-accesses.js'

/** The version of the text form of a state. A change that an older release would misread needs a new version. */
const VERSION = 1
/** The maximum length, in characters, of the text of an advisor's state. */
export const MAX_STATE_LENGTH = 8 * 1024 * 1024
/** The maximum number of key patterns and routes together in a state. */
const MAX_SUBJECTS = 64
/** The latest time that a `Date` can have, in milliseconds since 1970. */
const MAX_TIME = 8.64e15

const count = Type.Number({ minimum: 0 })
const share = Type.Number({ minimum: 0, maximum: 1 })
const name = Type.String({ maxLength: 2000 })
const bytes = Type.String({ maxLength: MAX_STATE_LENGTH, pattern: '^[A-Za-z0-9+/]*={0,2}$' })
const ttls = Type.Array(Type.Number({ exclusiveMinimum: 0, maximum: MAX_TTL }), { minItems: 1, maxItems: 32 })
const sizes = Type.Array(Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }), { minItems: 1, maxItems: 32 })
const time = Type.Number({ minimum: 0, maximum: MAX_TIME })
const span = Type.Tuple([time, time])
const ring = Type.Object({ isWhole: Type.Boolean(), kinds: bytes, hashes: bytes, words: bytes })
const verdict = Type.Union(['go', 'no-go', 'inconclusive', 'not enough data'].map((each) => Type.Literal(each)))

const leak = Type.Object({ dimension: name, pairs: count, differing: count, compared: Type.Optional(count) })
const sample = Type.Object({ limit: Type.Number({ exclusiveMinimum: 0, maximum: HASHES }), once: bytes, more: bytes })

const numbers = Type.Object({
  kind: Type.Union([Type.Literal('pattern'), Type.Literal('route')]),
  name,
  requests: count,
  meanSeconds: Type.Optional(count),
  meanBytes: Type.Optional(count),
  meanKeyLength: count,
  staleness: Type.Array(Type.Object({ ttl: count, hits: count, rate: share, low: share, high: share }), { maxItems: 32 }),
  leak: Type.Optional(leak),
  isNoise: Type.Boolean(),
  cookieShare: share,
  storableShare: Type.Optional(share),
  change: Type.Optional(name),
  compared: Type.Optional(count),
  decided: Type.Optional(Type.Object({ leak: Type.Optional(span), isNoise: Type.Optional(span), change: Type.Optional(span) })),
  otherLeaks: Type.Optional(Type.Array(leak, { maxItems: MAX_EARLIER_LEAKS }))
})

const stateSchema = Type.Object({
  form: Type.Literal('cache-advice'),
  version: Type.Literal(VERSION),
  saltName: Type.String({ pattern: '^[0-9a-f]{16}$' }),
  origin: Type.String({ minLength: 1, maxLength: 64 }),
  spans: Type.Array(span, { maxItems: 64 }),
  secondsBefore: count,
  ttls,
  entries: sizes,
  wishes: Type.Object({ staleTolerance: share, minRequests: count, minDays: Type.Optional(count) }),
  gates: Type.Object({
    candidates: count,
    etagMatches: count,
    edgeCandidates: count,
    requests: count,
    routes: Type.Array(Type.Object({ name, requests: count, p95Seconds: Type.Optional(count) }), { maxItems: 10_001 }),
    patterns: Type.Array(Type.Object({ name, requests: count }), { maxItems: 10_001 })
  }),
  shadow: Type.Array(Type.Object({ keyPattern: name, text: name, verdict, compared: count }), { maxItems: 1000 }),
  subjects: Type.Array(Type.Object({
    numbers,
    keys: sample,
    leakKeys: Type.Optional(sample),
    accesses: Type.Object({ strata: Type.Array(ring, { minItems: 1, maxItems: 33 }), invalidations: ring })
  }), { maxItems: MAX_SUBJECTS })
})

/** Returns the state of an advisor as JSON, with its tables in base64. */
export function stateText (state: AdviceState): string {
  const subjects = state.subjects.map(({ numbers, keys, leakKeys, accesses: { strata, invalidations } }) => ({
    numbers,
    keys: sampleText(keys),
    ...leakKeys && { leakKeys: sampleText(leakKeys) },
    accesses: { strata: strata.map(ringText), invalidations: ringText(invalidations) }
  }))
  return JSON.stringify({ form: 'cache-advice', version: VERSION, ...state, subjects })
}

/**
 * Reads the state of an advisor from a text or from parsed JSON, which may be damaged or foreign.
 * @returns the state, or a sentence with the reason why the text is no state
 */
export function parseState (from: unknown): AdviceState | string {
  const json = typeof from === 'string' ? parse(from) : from
  if (!Value.Check(Type.Object({ form: Type.Literal('cache-advice'), version: Type.Number() }), json)) return 'it is no state of an advisor'
  if (json.version !== VERSION) return `it has version ${json.version}, and this release reads version ${VERSION}`
  if (!Value.Check(stateSchema, json)) return 'it is damaged'
  const state = json as Static<typeof stateSchema>
  if (!isConsistent(state)) return 'it is damaged'
  const subjects: SubjectState[] = []
  for (const { numbers, keys, leakKeys, accesses } of state.subjects) {
    const [invalidations, ...strata] = [accesses.invalidations, ...accesses.strata].map(ringOf)
    if (invalidations === undefined || strata.some((each) => each === undefined)) return 'it is damaged'
    subjects.push({
      numbers: numbers as unknown as MeasuredNumbers,
      keys: sampleOf(keys),
      ...leakKeys && { leakKeys: sampleOf(leakKeys) },
      accesses: { strata: strata as SavedRing[], invalidations }
    })
  }
  return { ...state as unknown as AdviceState, subjects }
}

/**
 * Whether the parts of a state are consistent: no span ends before it begins, each key pattern or route occurs once, and each has a ring
 * for every stratum.
 */
function isConsistent ({ spans, entries, subjects }: Static<typeof stateSchema>): boolean {
  const strata = strataOf(entries).length
  const names = new Set(subjects.map(({ numbers: { kind, name } }) => `${kind} ${name}`))
  return names.size === subjects.length && spans.every(([from, to]) => from <= to) &&
    subjects.every(({ accesses }) => accesses.strata.length === strata)
}

function parse (text: string): unknown {
  if (text.length > MAX_STATE_LENGTH) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function sampleText ({ limit, once, more }: SampledKeys): Static<typeof sample> {
  return { limit, once: base64(Uint32Array.from(once)), more: base64(Uint32Array.from(more)) }
}

function sampleOf ({ limit, once, more }: Static<typeof sample>): SampledKeys {
  return { limit, once: [...words(once)], more: [...words(more)] }
}

function ringText ({ kinds, hashes, words, isWhole }: SavedRing): Static<typeof ring> {
  return { isWhole, kinds: base64(kinds), hashes: base64(hashes), words: base64(words) }
}

function ringOf ({ isWhole, ...texts }: Static<typeof ring>): SavedRing | undefined {
  const kinds = Uint8Array.from(Buffer.from(texts.kinds, 'base64'))
  const read = { kinds, hashes: words(texts.hashes), words: words(texts.words), isWhole }
  const isSound = read.hashes.length === kinds.length && read.words.length === kinds.length && kinds.every((kind) => kind < TAG + MAX_TAGS)
  return isSound ? read : undefined
}

/**
 * Returns the bytes of a table in base64. Numbers of 32 bits have the byte order of the machine, which is little-endian on nearly all
 * machines.
 */
function base64 ({ buffer, byteOffset, byteLength }: Uint8Array | Uint32Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64')
}

function words (text: string): Uint32Array {
  // The decoded bytes are copied, since the table of numbers must begin at a multiple of four bytes.
  const { buffer, length } = Uint8Array.from(Buffer.from(text, 'base64'))
  return new Uint32Array(buffer, 0, Math.floor(length / 4))
}
