import { Candidates, FLOOR, KINDS, UNKNOWN, type Candidate, type DimensionKind, type Dimensions } from './suspects.js'
import { KeyRings } from './key-rings.js'
import { LagCounts } from './lag-counts.js'
import { chanceOf, chancesOf, type Chances } from './return-chances.js'

export type { DimensionKind, Dimensions } from './suspects.js'

/** A dimension that the key lacks. Its counts are recent ones: all counts are halved whenever `returns` reaches 256. */
export interface Leak {
  /** The name of the dimension, as `note` got it. */
  readonly dimension: string
  readonly kind: DimensionKind
  /** Pairs of requests for one key, of one value of the dimension, and how many of them got one answer. */
  readonly same: { readonly compared: number, readonly agreeing: number }
  /** Neighbouring requests for one key, of two values of the dimension, and how many of them got two answers. */
  readonly other: { readonly compared: number, readonly differing: number }
  /** Returns: a key had an older answer again. `explained`: those that the dimension foretold. */
  readonly returns: number
  readonly explained: number
  /** Of the rest, those at which the last request with the same value of the dimension had got another answer. */
  readonly contradicted: number
  /** 1 − the bound on the probability that a dimension without influence looks like this (see `KeyLeak`); above 0.999999. */
  readonly confidence: number
}

const MAX_KEYS = 32
const MAX_OBSERVATIONS = 24
/** Seconds within which a different value counts as noise, not as a change. */
const NOISE_WITHIN = 60
const NOISE_PAIRS = 50
const NOISE_SHARE = 0.95
/** ln of the odds at which a dimension is accused: 10⁻⁶ by chance. */
const CERTAIN = Math.log(1e6)
/** The share of returns that the bet expects a dimension to foretell. */
const BET = 0.5
/** Returns after which evidence is halved, so that a leak which starts late is not outweighed by what was before. */
const FORGOTTEN_AT = 256
const EVIDENCE = ['same', 'agreeing', 'astray', 'other', 'differing', 'returns', 'explained', 'contradicted'] as const
/** Explanations that differ by less are equally good. */
const ALIKE = 0.02
/** Pairs are halved then, so that they follow the traffic. */
const HALVED_AT = 1024

/** One request of a key, which each dimension is compared with. */
interface Request {
  readonly slot: number
  /** Earlier requests of the key that it can be compared with. */
  readonly reach: number
  readonly print: number
  /** Requests since the key had this answer last; 0: never. */
  readonly printLag: number
  /** `undefined`: no older answer came back. */
  readonly returned: Chances | undefined
}

/**
 * Detects that a key lacks a dimension: one key has two answers, depending on a user, a header or a query parameter.
 *
 * Evidence is an answer that comes *back*: a key gave f1, then others, now f1 again. Values that change over time, count up or are
 * new at each load never come back, so they accuse nobody. A dimension *foretells* the return if its last request with today's value
 * (of this user, say) is the very one that last got this answer. A value that flips on its own comes back too, but not in step with
 * who asks.
 *
 * Test: a bet on every return, against the null hypothesis that who asks has nothing to do with the answer. Under it the dimension
 * foretells a return of lag n with at most the probability q that its own values come back at lag n. q is the largest of three estimates,
 * all from earlier requests and from the dimension alone: how often it was n on this key, on all keys, and n or less on this key, per
 * chance (which says enough while little was seen, as values that come in no order or in bursts come back sooner rather than later). Half
 * the stake is put on "foretold": the capital grows by 0.5 / q or shrinks by 0.5 / (1 − q), and where q is above a half
 * nothing is staked. Under the null it does not grow on average as long as q is not below the true probability, so it grows a
 * million times with a probability of at most 10⁻⁶ for each dimension, however often one looks (Ville's inequality; Shafer, Testing by
 * betting, 2021). Capital below 1 / 100 is topped up, so that a leak which begins late is found: each later attempt has 10⁻⁸.
 *
 * Besides, at most one return may contradict the dimension (its last request with today's value got another answer) for four that it
 * foretold: where users and values both follow a rhythm, the estimates of q may lag behind it. And of all answers that the key had
 * before, returns or not, at least nine in ten must be what its last request with today's value got: who writes and at once reads gets
 * his own value back, in step with himself, but then the others get it too.
 *
 * Two that take strict turns and a value that takes turns at each load too cannot be told from a leak, and are not accused.
 *
 * Memory: a fixed number of keys, of each its last requests, and a fixed number of names (see `Candidates`). Nothing grows with users.
 */
export class KeyLeak {
  readonly #rings: KeyRings
  readonly #prints: Uint32Array
  /** Of each request. */
  readonly #contexts: Uint16Array
  readonly #candidates: Candidates
  /** Requests that so many could be compared with. */
  readonly #reaches: LagCounts
  #seen = 0
  #noisePairs = 0
  #noiseDiffering = 0

  /**
   * @param options.maxKeys number of keys that are observed at a time
   * @param options.maxObservations remembered of each; a user who asks more rarely than every so many requests is a new one
   */
  constructor ({ maxKeys = MAX_KEYS, maxObservations = MAX_OBSERVATIONS }: { maxKeys?: number, maxObservations?: number } = {}) {
    const slots = Math.max(1, Math.ceil(maxKeys))
    const size = Math.max(4, Math.ceil(maxObservations))
    this.#rings = new KeyRings(slots, size)
    this.#prints = new Uint32Array(slots * size)
    this.#contexts = new Uint16Array(slots * size)
    this.#candidates = new Candidates(slots, size)
    this.#reaches = new LagCounts(slots, size, false)
  }

  /** Approximate size in bytes. */
  get bytes (): number {
    const shared = this.#rings.bytes + this.#prints.byteLength + this.#contexts.byteLength + this.#reaches.bytes
    return this.#candidates.list.reduce((sum, { bytes }) => sum + bytes, shared)
  }

  /**
   * Whether values change at nearly every load though nothing else does (a random id, the time of the load): no key can help, and
   * no cache should keep them. `false` too while fewer than 50 pairs within a minute were seen.
   */
  get noise (): boolean {
    return this.#noisePairs >= NOISE_PAIRS && this.#noiseDiffering >= NOISE_SHARE * this.#noisePairs
  }

  /**
   * One request that loaded its value. A dimension that a request lacks counts as a value of its own. Which dimensions are looked
   * at: see `Candidates`. Times should not run backwards.
   */
  note (keyHash: number, nowSeconds: number, fingerprint: number, dimensions: Dimensions): void {
    const rings = this.#rings
    const slot = rings.slotOf(keyHash)
    if (slot === undefined) return
    if (rings.requests(slot) === 0) this.#clear(slot)
    this.#candidates.meet(dimensions)
    const print = fingerprint >>> 0
    const reach = rings.reach(slot, nowSeconds)
    const printLag = rings.lastOf(this.#prints, slot, print, reach)
    const returned = printLag > 1 ? chancesOf(this.#rings.size, this.#reaches, slot, printLag) : undefined
    const request: Request = { slot, reach, print, printLag, returned }
    for (const candidate of this.#candidates.list) this.#look(candidate, candidate.labelOf(dimensions), request)
    const context = contextOf(dimensions)
    this.#compareNoise(slot, context, nowSeconds, print, reach)
    this.#contexts[rings.at(slot, 0)] = context
    this.#prints[rings.at(slot, 0)] = print
    this.#reaches.add(slot, reach)
    rings.push(slot, nowSeconds)
    this.#seen++
    this.#reaches.age(slot, rings.requests(slot), this.#seen)
    for (const { lags } of this.#candidates.list) lags.age(slot, rings.requests(slot), this.#seen)
  }

  /** The dimension that best explains different answers; `undefined` while none is certain. */
  leak (): Leak | undefined {
    const candidates = this.#candidates.list.filter(({ isConsistent }) => isConsistent)
    const top = Math.max(...candidates.map(({ score }) => score))
    if (!(top >= CERTAIN)) return undefined
    // A coarser one may need more returns to be as certain: it is named if it explains more.
    const plausible = candidates.filter(({ score }) => score > CERTAIN / 4)
    const best = Math.max(...plausible.map(explanation))
    const named = plausible.filter((candidate) => explanation(candidate) > best - ALIKE)
      .sort((a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind) || explanation(b) - explanation(a))[0]!
    return {
      dimension: named.name,
      kind: named.kind,
      same: { compared: named.same, agreeing: named.agreeing },
      other: { compared: named.other, differing: named.differing },
      returns: named.returns,
      explained: named.explained,
      contradicted: named.contradicted,
      confidence: 1 - Math.exp(-top)
    }
  }

  #look (candidate: Candidate, label: number, request: Request): void {
    const { slot, reach, print, printLag } = request
    const { labels } = candidate
    const lag = this.#rings.lastOf(labels, slot, label, reach)
    if (lag > 0) {
      candidate.same++
      if (this.#prints[this.#rings.at(slot, lag)] === print) candidate.agreeing++
      else if (printLag > 0) candidate.astray++
    }
    if (reach > 0 && labels[this.#rings.at(slot, 1)] !== UNKNOWN) {
      candidate.neighbours++
      if (lag !== 1) {
        candidate.other++
        if (printLag !== 1) candidate.differing++
      }
    }
    // It could not come back from before its name was met: that is no chance missed.
    if (reach === 0 || labels[this.#rings.at(slot, reach)] !== UNKNOWN) {
      this.#judge(candidate, lag, request)
      candidate.lags.add(slot, lag)
    }
    labels[this.#rings.at(slot, 0)] = label
  }

  /** Bets on a return: whether the dimension foretold that the key has an older answer again. */
  #judge (candidate: Candidate, lag: number, { slot, print, printLag, returned }: Request): void {
    if (returned === undefined) return
    candidate.judged++
    if (++candidate.returns === FORGOTTEN_AT) for (const count of EVIDENCE) candidate[count] >>>= 1
    const foretold = lag === printLag
    if (foretold) candidate.explained++
    else if (lag > 0 && this.#prints[this.#rings.at(slot, lag)] !== print) candidate.contradicted++
    const chance = chanceOf(candidate.lags, slot, printLag, returned)
    if (chance >= BET) return
    const gain = foretold ? BET / chance : (1 - BET) / (1 - chance)
    candidate.score = Math.max(FLOOR, candidate.score + Math.log(gain))
  }

  #compareNoise (slot: number, context: number, nowSeconds: number, print: number, reach: number): void {
    const lag = this.#rings.lastOf(this.#contexts, slot, context, reach)
    if (lag === 0 || this.#rings.age(slot, lag, nowSeconds) > NOISE_WITHIN) return
    this.#noisePairs++
    if (this.#prints[this.#rings.at(slot, lag)] !== print) this.#noiseDiffering++
    if (this.#noisePairs === HALVED_AT) {
      this.#noisePairs /= 2
      this.#noiseDiffering /= 2
    }
  }

  #clear (slot: number): void {
    this.#reaches.clear(slot)
    for (const { lags } of this.#candidates.list) lags.clear(slot)
  }
}

/** 16 bits of all dimensions, looked at or not: in no order, as clients may send them in any. */
function contextOf (dimensions: Dimensions): number {
  let context = 0
  for (const name in dimensions) {
    let part = dimensions[name]! >>> 0
    for (let at = 0; at < name.length; at++) part = Math.imul(part ^ name.charCodeAt(at), 0x9e3779b1)
    context = (context + (part ^ part >>> 15)) >>> 0
  }
  return context % 65_536
}

/** 0 to 2: the share of one value's pairs that agree, plus the share of two values' pairs that differ. */
function explanation ({ same, agreeing, other, differing }: Candidate): number {
  return agreeing / Math.max(1, same) + differing / Math.max(1, other)
}
