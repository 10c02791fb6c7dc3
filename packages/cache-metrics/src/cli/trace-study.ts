import type { CurvePoint, Observation } from '../advisor/report/observation.js'
import { ReuseCurve } from '../advisor/curve/reuse-curve.js'

/**
 * The maximum bytes of the tables of a reuse curve. The three numbers are for the curve over all keys, for each of the first
 * `FIRST_PATTERNS` key patterns, and for each later one.
 */
const ALL_BYTES = 3 * 1024 * 1024
const FIRST_BYTES = 96 * 1024
const LATER_BYTES = 20 * 1024
const FIRST_PATTERNS = 16

/** One request of a trace. */
export interface TraceRequest {
  /** The key pattern or route of the request; a trace has at most 101 different names. */
  readonly name: string
  readonly keyLength: number
  readonly hash: number
  /** The time of the traced request, in milliseconds since any instant; times never decrease in a sorted trace. */
  readonly now: number
  /** The bytes of the value that the request read; `undefined`: the trace does not have this number. */
  readonly bytes: number | undefined
  /** The seconds that the app took for the response; `undefined`: the trace does not have this number. */
  readonly seconds?: number | undefined
}

/** The settings of a `TraceStudy`: the ttls and cache sizes of its reuse curves, and the load time and size of a value. */
export interface StudyOptions {
  readonly ttls: readonly number[]
  readonly entries: readonly number[]
  /** Seconds of each load, in place of the response times in the trace; `undefined`: the response times in the trace are used. */
  readonly loadSeconds: number | undefined
  /** Bytes of each value, in place of the sizes in the trace; `undefined`: the sizes in the trace are used. */
  readonly valueBytes: number | undefined
}

/** The reuse curves of a trace, over all keys and for each key pattern, in tables of at most 8 MB. */
export class TraceStudy {
  readonly #options: StudyOptions
  readonly #all: ReuseCurve
  readonly #patterns = new Map<string, Pattern>()

  constructor (options: StudyOptions) {
    this.#options = options
    this.#all = curveWithin(ALL_BYTES, options)
  }

  get requests (): number { return this.#all.requests }
  /** The size of the tables of all reuse curves, in bytes. */
  get bytes (): number {
    return [...this.#patterns.values()].reduce((sum, { curve }) => sum + curve.bytes, this.#all.bytes)
  }

  get patterns (): Array<{ name: string, requests: number }> {
    return [...this.#patterns].map(([name, { curve: { requests } }]) => ({ name, requests }))
  }

  note ({ name, keyLength, hash, now, bytes, seconds }: TraceRequest): void {
    let pattern = this.#patterns.get(name)
    if (pattern === undefined) {
      const room = this.#patterns.size < FIRST_PATTERNS ? FIRST_BYTES : LATER_BYTES
      this.#patterns.set(name, pattern = new Pattern(curveWithin(room, this.#options)))
    }
    this.#all.note(hash, now)
    pattern.curve.note(hash, now)
    pattern.keyCharacters += keyLength
    if (bytes !== undefined) {
      pattern.values++
      pattern.valueBytes += bytes
    }
    if (seconds === undefined) return
    pattern.loads++
    pattern.loadSeconds += seconds
  }

  /** Returns the points of the reuse curve over the whole trace: each ttl with each cache size, in the order of the options. */
  points (): Array<{ ttl: number, entries: number, hitRate: number }> {
    const { ttls, entries } = this.#options
    const points = this.#all.points()
    return ttls.flatMap((ttl) => entries.map((size) =>
      ({ ttl, entries: size, hitRate: points.find((point) => point.ttl === ttl && point.entries === size)!.hitRate })))
  }

  /**
   * The observations of all key patterns or routes.
   * @param seconds the time from the first request to the end of the trace
   */
  observations (kind: Observation['kind'], seconds: number): Observation[] {
    const { loadSeconds, valueBytes } = this.#options
    return [...this.#patterns].map(([name, pattern]) => {
      // If there is a single key pattern, the reuse curve over all keys is used: it has the same keys and is more exact.
      const curve = this.#patterns.size === 1 ? this.#all : pattern.curve
      const { requests } = curve
      return {
        kind,
        name,
        seconds,
        requests,
        meanSeconds: loadSeconds ?? (pattern.loads === 0 ? undefined : pattern.loadSeconds / pattern.loads),
        meanBytes: valueBytes ?? (pattern.values === 0 ? undefined : pattern.valueBytes / pattern.values),
        meanKeyLength: pattern.keyCharacters / requests,
        distinct: curve.distinctKeys,
        oneHitShare: curve.oneHitShare,
        points: curve.points().map(({ ttl, entries, hitRate, margin }): CurvePoint => ({ ttl, entries, hitRate, margin })),
        staleness: [],
        leak: undefined,
        isNoise: false,
        cookieShare: 0
      }
    })
  }
}

class Pattern {
  keyCharacters = 0
  values = 0
  valueBytes = 0
  loads = 0
  loadSeconds = 0
  constructor (readonly curve: ReuseCurve) {}
}

/** Creates a reuse curve whose tables fit into `bytes`, with the largest possible sample of keys. */
function curveWithin (bytes: number, { ttls, entries }: StudyOptions): ReuseCurve {
  // The tables of a reuse curve have counts for each cache size and ttl. For each entry they have a hash, load times, three links and up to
  // two buckets.
  const counts = entries.length * ttls.length * 128
  let room = (bytes - counts) / (4 * (6 + ttls.length))
  let sampleEntries = 0
  for (const [at, size] of [...entries].sort((a, b) => a - b).entries()) {
    sampleEntries = Math.min(size, Math.floor(room / (entries.length - at)))
    room -= sampleEntries
  }
  return new ReuseCurve({ ttls: [...ttls], entries: [...entries], sampleEntries: Math.max(1, sampleEntries), isCompact: false })
}
