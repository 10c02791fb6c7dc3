import { LagCounts } from './lag-counts.js'
import { excessOf, type LeakEvidence } from './leak-evidence.js'

/**
 * The parts of a request besides its key, by name, hashed to 32 bits: `user`, `query sort`, `param id`, `header accept-language`,
 * `cookie theme`.
 */
export type Dimensions = Readonly<Record<string, number>>

/**
 * The kinds of dimensions of a request: the first word of the name; `header cookie` is a cookie. Dimensions of other kinds are not
 * observed. If several dimensions explain the answers equally well, the one whose kind is first in this list is reported.
 */
export const KINDS = ['user', 'query', 'param', 'header', 'cookie'] as const
export type DimensionKind = typeof KINDS[number]

/**
 * The number of names of each kind of dimension that are observed at a time, besides the reserved names. Each kind has its own number,
 * since clients choose names, and names of one kind must not displace names of another kind.
 */
const PLACES: Readonly<Record<DimensionKind, number>> = { user: 0, query: 3, param: 1, header: 3, cookie: 2 }
/** Dimensions that identify the user. Each has a reserved place, so that no other name displaces it. */
const RESERVED: ReadonlyMap<string, DimensionKind> = new Map([['user', 'user'], ['header authorization', 'header']])
/** The maximum number of new names of dimensions that one request adds. */
const MAX_NEW = 4
/** The maximum credit of a dimension's name, which protects its place: each use adds one, and each unknown name may subtract one. */
const MAX_CREDIT = 15
/** The number of pairs of consecutive requests for one key after which a dimension that has one value per key may be replaced. */
const TRIED = 64
/** The number of returns after which a dimension may be replaced if it did not predict them better than chance. */
const JUDGED = 128
/** The score of a dimension, the logarithm of the odds of a leak, from which on no other name replaces its name. */
const SUSPICIOUS = Math.log(1e6) / 4
/**
 * The maximum ratio of the returns that contradict a dimension to the returns that it predicted. A return contradicts a dimension if the
 * last request with the same value of the dimension had another answer.
 */
const MAX_CONTRADICTED = 0.25
/**
 * The maximum share of pairs with two different answers. The pairs are requests for one key with the same value of the dimension, the later
 * one with an answer that the key had before.
 */
const MAX_ASTRAY = 0.1
/**
 * The lower bound of a dimension's score, the logarithm of the odds: with this bound a leak that starts late need not outweigh all earlier
 * evidence.
 */
export const FLOOR = -Math.log(100)

/** The label of a request from before the dimension was observed. */
export const UNKNOWN = 0
/** The label of a request that does not have the dimension. */
const ABSENT = 1

/** An observed dimension, and the evidence for and against a leak by it (see `KeyLeak`). */
export class Suspect {
  /** The label of each remembered request: the number that stands for its value of the dimension. */
  readonly labels: Uint16Array
  /** The number of requests by the lag since the last request with the same value of the dimension. */
  readonly lags: LagCounts
  name = ''
  kind: DimensionKind = 'user'
  credit = 0
  neighbours = 0
  judged = 0
  score = 0
  same = 0
  agreeing = 0
  astray = 0
  other = 0
  differing = 0
  returns = 0
  explained = 0
  contradicted = 0
  /** The counts of pairs of consecutive requests for `evidence`, and the time of the first and the last pair in seconds. */
  pairs = 0
  differingPairs = 0
  near = 0
  nearAgreeing = 0
  firstPair = 0
  lastPair = 0

  constructor (slots: number, size: number) {
    this.labels = new Uint16Array(slots * size)
    // The counts by lag are rounded up when they are halved, since a rare lag must not get a count of 0.
    this.lags = new LagCounts(slots, size, true)
  }

  get bytes (): number { return this.labels.byteLength + this.lags.bytes + 300 }

  /** Replaces the dimension by another one, and clears the evidence. */
  take (name: string, kind: DimensionKind, score: number): void {
    this.labels.fill(UNKNOWN)
    this.lags.clearAll()
    this.name = name
    this.kind = kind
    this.score = score
    this.credit = 1
    this.neighbours = this.judged = this.same = this.agreeing = this.astray = this.other = this.differing = 0
    this.returns = this.explained = this.contradicted = 0
    this.pairs = this.differingPairs = this.near = this.nearAgreeing = this.firstPair = this.lastPair = 0
  }

  labelOf (dimensions: Dimensions): number {
    const value = dimensions[this.name]
    return value === undefined ? ABSENT : 2 + (value >>> 0) % 65_534
  }

  /** Notes a pair of consecutive requests for one key: whether the value of the dimension and the answer are the same. */
  noteNeighbours (isSame: boolean, isAgreeing: boolean, nowSeconds: number): void {
    this.neighbours++
    if (isSame) {
      this.near++
      if (isAgreeing) this.nearAgreeing++
      return
    }
    this.other++
    if (this.pairs++ === 0) this.firstPair = nowSeconds
    this.lastPair = nowSeconds
    if (isAgreeing) return
    this.differing++
    this.differingPairs++
  }

  /** The observations that can disprove a leak on this dimension that an earlier process found. */
  get evidence (): LeakEvidence {
    return { dimension: this.name, pairs: this.pairs, seconds: this.lastPair - this.firstPair, excess: excessOf(this) }
  }

  /**
   * The quality of this dimension as explanation, 0 to 2: the share of equal answers among pairs of requests with the same value of the
   * dimension, plus the share of different answers among pairs with different values.
   */
  get explanation (): number {
    return this.agreeing / Math.max(1, this.same) + this.differing / Math.max(1, this.other)
  }

  /** Whether at most a few observations contradict that the answers depend on the dimension. */
  get isConsistent (): boolean {
    // Two standard deviations are added to the count of contradicting pairs of requests, since a few pairs may agree by chance.
    const astray = this.astray + 2 * Math.sqrt(this.astray)
    return this.contradicted <= this.explained * MAX_CONTRADICTED && astray <= MAX_ASTRAY * (this.agreeing + this.astray)
  }

  /** Whether another name may replace the name of this dimension, since the dimension is rare, has one value, or has no influence. */
  get isIdle (): boolean {
    const isSuspicious = this.score >= SUSPICIOUS && this.isConsistent
    if (isSuspicious) return false
    return this.credit === 0 || (this.neighbours >= TRIED && this.other === 0) ||
      (this.judged >= JUDGED && (this.score <= 0 || !this.isConsistent))
  }
}

/**
 * The observed dimensions. Clients choose names and may send any number of them, so each kind has a fixed number of places. The most used
 * names keep their places; a new name replaces a dimension without influence.
 */
export class Suspects {
  readonly list: Suspect[] = []
  readonly #known = new Map<string, Suspect>()
  readonly #reserved = new Map(RESERVED)
  readonly #slots: number
  readonly #size: number
  #admitted = 0

  constructor (slots: number, size: number) {
    this.#slots = slots
    this.#size = size
  }

  /** Observes a dimension from now on in a place that no other name takes. A name of an unknown kind is ignored. */
  reserve (name: string): void {
    const kind = RESERVED.get(name) ?? kindOf(name)
    if (kind === undefined || this.#known.has(name)) return
    this.#reserved.set(name, kind)
    this.#add(name, kind)
  }

  meet (dimensions: Dimensions): void {
    let unknown: Map<DimensionKind, string[]> | undefined
    for (const name in dimensions) {
      const suspect = this.#known.get(name)
      if (suspect !== undefined) {
        if (suspect.credit < MAX_CREDIT) suspect.credit++
        continue
      }
      const reserved = this.#reserved.get(name)
      const kind = kindOf(name)
      if (reserved !== undefined) this.#add(name, reserved)
      else if (kind !== undefined) {
        unknown ??= new Map()
        const names = unknown.get(kind)
        if (names === undefined) unknown.set(kind, [name])
        else names.push(name)
      }
    }
    if (unknown === undefined) return
    let left = MAX_NEW
    for (const [kind, names] of unknown) left = this.#admit(kind, names, left)
  }

  /** Adds names of dimensions of one kind; returns the number of new names that this request may still add. */
  #admit (kind: DimensionKind, names: readonly string[], left: number): number {
    const rivals = this.list.filter((suspect) => suspect.kind === kind && !this.#reserved.has(suspect.name))
    const free = Math.min(PLACES[kind] - rivals.length, names.length, left)
    if (free > 0) {
      for (const name of names.slice(0, free)) this.#add(name, kind)
      return left - free
    }
    if (rivals.length === 0 || left === 0) return left
    const idle = rivals.find((suspect) => suspect.isIdle)
    if (idle === undefined) {
      const least = rivals.reduce((a, b) => b.credit < a.credit ? b : a)
      if (least.credit > 0) least.credit--
      return left
    }
    // New names of dimensions take turns. Otherwise the first name would be chosen a second time before the last name was chosen once.
    const name = names[this.#admitted++ % names.length]!
    this.#known.delete(idle.name)
    // A name that replaces another name starts at the score `FLOOR`, not at 0, since a name may be chosen any number of times. Each time,
    // the probability that a dimension on which no answer depends rises from `FLOOR` to the score of a leak by chance is 10⁻⁸.
    idle.take(name, kind, FLOOR)
    this.#known.set(name, idle)
    return left - 1
  }

  #add (name: string, kind: DimensionKind): void {
    const suspect = new Suspect(this.#slots, this.#size)
    suspect.take(name, kind, 0)
    this.list.push(suspect)
    this.#known.set(name, suspect)
  }
}

function kindOf (name: string): DimensionKind | undefined {
  if (name === 'header cookie') return 'cookie'
  const word = name.split(' ', 1)[0]!
  return KINDS.find((known) => known === word)
}
