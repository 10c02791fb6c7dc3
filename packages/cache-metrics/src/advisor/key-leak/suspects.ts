import { LagCounts } from './lag-counts.js'

/** What a request carries besides its key, hashed to 32 bits: `user`, `query sort`, `param id`, `header accept-language`, `cookie theme`. */
export type Dimensions = Readonly<Record<string, number>>

/** First word of a dimension. Several that explain equally well: the first of these is named. `header cookie` is a cookie; what begins otherwise is not looked at. */
export const KINDS = ['user', 'query', 'param', 'header', 'cookie'] as const
export type DimensionKind = typeof KINDS[number]

/** Names of each kind that are looked at at a time, besides the reserved ones: clients choose names, and one kind must not crowd out another. */
const PLACES: Readonly<Record<DimensionKind, number>> = { user: 0, query: 3, param: 1, header: 3, cookie: 2 }
/** Dimensions that identify the user. Their places are reserved. */
const RESERVED: ReadonlyMap<string, DimensionKind> = new Map([['user', 'user'], ['header authorization', 'header']])
/** The maximum number of new names per request. */
const MAX_NEW = 4
/** The credit of a name, at most: each use adds one, and each unknown name may take one. */
const MAX_CREDIT = 15
/** Neighbouring requests for one key after which a name that had but one value on each key gives way. */
const TRIED = 64
/** Returns after which a name that foretold them no better than chance gives way. */
const JUDGED = 128
/** ln of the odds from which on a name is not replaced. */
const SUSPICIOUS = Math.log(1e6) / 4
/** Of the returns that a dimension foretold, as many may contradict it. */
const MAX_CONTRADICTED = 0.25
/** Of the answers that a key had before, so many at most may be another than the same value of the dimension had last. */
const MAX_ASTRAY = 0.1
/** Lowest ln of the odds, so that a leak which starts late is found. */
export const FLOOR = -Math.log(100)

/** The label of requests before the name was observed. */
export const UNKNOWN = 0
/** The label of a request without the dimension. */
const ABSENT = 1

/** An observed dimension, and the evidence on it: see `KeyLeak`. */
export class Candidate {
  /** Its value in each remembered request. */
  readonly labels: Uint16Array
  /** How often its value was last there so many requests ago. */
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

  constructor (slots: number, size: number) {
    this.labels = new Uint16Array(slots * size)
    // A lag that is rare must not look impossible.
    this.lags = new LagCounts(slots, size, true)
  }

  get bytes (): number { return this.labels.byteLength + this.lags.bytes + 300 }

  /** Replaces the name, and clears the evidence on the last one. */
  take (name: string, kind: DimensionKind, score: number): void {
    this.labels.fill(UNKNOWN)
    this.lags.clearAll()
    this.name = name
    this.kind = kind
    this.score = score
    this.credit = 1
    this.neighbours = this.judged = this.same = this.agreeing = this.astray = this.other = this.differing = 0
    this.returns = this.explained = this.contradicted = 0
  }

  labelOf (dimensions: Dimensions): number {
    const value = dimensions[this.name]
    return value === undefined ? ABSENT : 2 + (value >>> 0) % 65_534
  }

  /** Whether few observations contradict the dimension. */
  get isConsistent (): boolean {
    // Two standard deviations more than were seen: a few pairs may agree by chance.
    const astray = this.astray + 2 * Math.sqrt(this.astray)
    return this.contradicted <= this.explained * MAX_CONTRADICTED && astray <= MAX_ASTRAY * (this.agreeing + this.astray)
  }

  /** Whether another name may replace it: it is rare, has one value, or has no influence. */
  get isIdle (): boolean {
    const isSuspicious = this.score >= SUSPICIOUS && this.isConsistent
    if (isSuspicious) return false
    return this.credit === 0 || (this.neighbours >= TRIED && this.other === 0) ||
      (this.judged >= JUDGED && (this.score <= 0 || !this.isConsistent))
  }
}

/**
 * The observed dimensions. Clients choose names and may send any number of them, so each kind has a fixed number of places. The most
 * used names stay; a name without influence is replaced by a waiting one.
 */
export class Candidates {
  readonly list: Candidate[] = []
  readonly #known = new Map<string, Candidate>()
  readonly #slots: number
  readonly #size: number
  #admitted = 0

  constructor (slots: number, size: number) {
    this.#slots = slots
    this.#size = size
  }

  meet (dimensions: Dimensions): void {
    let strangers: Map<DimensionKind, string[]> | undefined
    for (const name in dimensions) {
      const candidate = this.#known.get(name)
      const reserved = RESERVED.get(name)
      const kind = kindOf(name)
      if (candidate !== undefined) {
        if (candidate.credit < MAX_CREDIT) candidate.credit++
      } else if (reserved !== undefined) this.#add(name, reserved)
      else if (kind !== undefined) {
        strangers ??= new Map()
        const others = strangers.get(kind)
        if (others === undefined) strangers.set(kind, [name])
        else others.push(name)
      }
    }
    if (strangers === undefined) return
    let left = MAX_NEW
    for (const [kind, names] of strangers) left = this.#admit(kind, names, left)
  }

  /** Adds names of one kind; returns the number of new names that this request may still add. */
  #admit (kind: DimensionKind, names: readonly string[], left: number): number {
    const rivals = this.list.filter((candidate) => candidate.kind === kind && !RESERVED.has(candidate.name))
    const free = Math.min(PLACES[kind] - rivals.length, names.length, left)
    if (free > 0) {
      for (const name of names.slice(0, free)) this.#add(name, kind)
      return left - free
    }
    if (rivals.length === 0 || left === 0) return left
    const idle = rivals.find((candidate) => candidate.isIdle)
    if (idle === undefined) {
      const least = rivals.reduce((a, b) => b.credit < a.credit ? b : a)
      if (least.credit > 0) least.credit--
      return left
    }
    // By turns: the first would get its place back before the last had one.
    const name = names[this.#admitted++ % names.length]!
    this.#known.delete(idle.name)
    // It may be tried any number of times: each has 10⁻⁸.
    idle.take(name, kind, FLOOR)
    this.#known.set(name, idle)
    return left - 1
  }

  #add (name: string, kind: DimensionKind): void {
    const candidate = new Candidate(this.#slots, this.#size)
    candidate.take(name, kind, 0)
    this.list.push(candidate)
    this.#known.set(name, candidate)
  }
}

function kindOf (name: string): DimensionKind | undefined {
  if (name === 'header cookie') return 'cookie'
  const word = name.split(' ', 1)[0]!
  return KINDS.find((known) => known === word)
}
