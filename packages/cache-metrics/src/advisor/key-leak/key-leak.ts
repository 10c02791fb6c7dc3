import { FLOOR, KINDS, Suspects, UNKNOWN, type DimensionKind, type Dimensions, type Suspect } from './suspects.js'
import type { LeakEvidence } from './leak-evidence.js'
import { KeyRings } from './key-rings.js'
import { LagCounts } from './lag-counts.js'
import { NoisePairs } from './noise-pairs.js'
import { chanceOf, chancesOf, type Chances } from './return-chances.js'

export type { DimensionKind, Dimensions } from './suspects.js'

/**
 * A dimension of the request that the cache key lacks, with counts as evidence. Recent requests outweigh older ones: all counts are halved
 * whenever `returns` reaches 256.
 */
export interface Leak {
  /** The name of the dimension, as `note` received it. */
  readonly dimension: string
  readonly kind: DimensionKind
  /** Pairs of requests for one key with the same value of the dimension; `agreeing`: those with the same answer. */
  readonly same: { readonly compared: number, readonly agreeing: number }
  /** Pairs of consecutive requests for one key with different values of the dimension; `differing`: those with different answers. */
  readonly other: { readonly compared: number, readonly differing: number }
  /** Returns: requests with an older answer of their key, after other answers; `explained`: those that the dimension predicted. */
  readonly returns: number
  readonly explained: number
  /** Returns that contradict the dimension: the last request with the same value of it had another answer. */
  readonly contradicted: number
  /** Requests that were compared with the previous request for their key, with the same value of the dimension or another one. */
  readonly compared: number
  /** The certainty of the leak, above 0.999999: 1 minus a bound of the chance that a dimension without influence has this evidence. */
  readonly confidence: number
}

const MAX_KEYS = 32
const MAX_OBSERVATIONS = 24
/** Seconds within which a changed value of a key counts as noise; after a longer time it counts as a change of the data. */
const NOISE_WITHIN = 60
/**
 * The score of a dimension, the logarithm of the odds of a leak, from which the dimension is reported as missing in the key. By chance
 * alone it is reached with a probability of at most 10⁻⁶.
 */
const CERTAIN = Math.log(1e6)
/** The fraction of the capital (see `KeyLeak`) that is bet on "predicted"; also the chance of a return from which on no bet is made. */
const BET = 0.5
/** The number of returns at which the counts of evidence are halved, so that earlier evidence does not hide a leak that starts late. */
const FORGOTTEN_AT = 256
const EVIDENCE = ['neighbours', 'same', 'agreeing', 'astray', 'other', 'differing', 'returns', 'explained', 'contradicted'] as const
/** The difference in quality (see `Suspect.explanation`) below which two dimensions explain the different answers equally well. */
const ALIKE = 0.02

/** One request for a key, by which all suspects are judged: its answer (`print`), and how many requests ago the key had the same answer. */
interface Request {
  readonly slot: number
  readonly nowSeconds: number
  /** The number of earlier requests for the key that this request can be compared with. */
  readonly reach: number
  readonly print: number
  /** The number of requests for the key since the last request with this answer; 0: no earlier request had this answer. */
  readonly printLag: number
  /** The counts of requests from which the probability of this return is estimated; `undefined`: the answer is not a return. */
  readonly returned: Chances | undefined
}

/**
 * Detects that a key lacks a dimension: one key has two answers, depending on a user, a header or a query parameter. Evidence is a
 * *return*: a key had answer f1, then others, and now f1 again. Values that change over time, count up, or are new at each load never
 * return, so they are no evidence. A dimension *predicts* the return if the last request with the same value of the dimension (the same
 * user, for example) is also the last one with this answer. A value that alternates by itself also returns, but independently of the
 * dimension. Test: a bet on every return, against the null hypothesis that the answer does not depend on the dimension. Under the null
 * hypothesis a dimension predicts a return of lag n with at most the probability q that its own values return at lag n. q is the largest of
 * three estimates from earlier requests. Each is the share of opportunities at which a value of the dimension returned: at lag n on this
 * key, at lag n on all keys, or at lags up to n on this key. The third estimate is reliable with few requests, since values in random order
 * or in bursts return sooner rather than later. Half the capital is bet on "predicted": it is multiplied by 0.5 / q if the return is
 * predicted, else by 0.5 / (1 − q). If q is at least a half, no bet is made. Under the null hypothesis the capital does not grow on average
 * while q is not below the true probability. The capital therefore becomes a million times larger with a probability of at most 10⁻⁶ per
 * dimension, for any number of checks (Ville's inequality; Shafer, Testing by betting, 2021). Capital below 1 / 100 is raised to 1 / 100,
 * so that a leak which begins late is found; each such attempt succeeds by chance with a probability of 10⁻⁸. Two further conditions apply.
 * First, for four predicted returns at most one may contradict the dimension. A return contradicts it if the last request with the same
 * value of the dimension had another answer. The reason is that the estimates of q may be late if users and values both follow a rhythm.
 * Second, of the requests whose answer the key had before, at least nine in ten must have the answer of the last request with the same
 * value of the dimension. The reason: a user who writes and then reads gets the written value again, which looks predicted, but so do the
 * other users. If two users alternate strictly, and a value alternates at each load, the value cannot be distinguished from a leak, and no
 * leak is reported. Memory: a fixed number of keys with their last requests, and a fixed number of names (see `Suspects`), for any number
 * of users.
 */
export class KeyLeak {
  readonly #rings: KeyRings
  readonly #prints: Uint32Array
  /** The context of each remembered request, a hash of all its dimensions; `noise` compares requests with equal contexts. */
  readonly #contexts: Uint16Array
  readonly #suspects: Suspects
  /** The number of requests by their reach, the number of earlier requests that each could be compared with. */
  readonly #reaches: LagCounts
  #seen = 0
  #compared = 0
  readonly #noise = new NoisePairs()

  /**
   * Creates a detector of key leaks without requests.
   * @param options.maxKeys number of keys that are observed at a time
   * @param options.maxObservations number of remembered requests per key; a user without a request among them counts as new
   */
  constructor ({ maxKeys = MAX_KEYS, maxObservations = MAX_OBSERVATIONS }: { maxKeys?: number, maxObservations?: number } = {}) {
    const slots = Math.max(1, Math.ceil(maxKeys))
    const size = Math.max(4, Math.ceil(maxObservations))
    this.#rings = new KeyRings(slots, size)
    this.#prints = new Uint32Array(slots * size)
    this.#contexts = new Uint16Array(slots * size)
    this.#suspects = new Suspects(slots, size)
    this.#reaches = new LagCounts(slots, size, false)
  }

  /** The approximate bytes that the tables of the key-leak detector use. */
  get bytes (): number {
    const shared = this.#rings.bytes + this.#prints.byteLength + this.#contexts.byteLength + this.#reaches.bytes
    return this.#suspects.list.reduce((sum, { bytes }) => sum + bytes, shared)
  }

  /** The number of requests that were compared with earlier requests for their key. */
  get compared (): number { return this.#compared }

  /**
   * Whether values change at nearly every load with equal dimensions (a random id, the time of the load). No key makes such values
   * cacheable. `false` before 50 pairs of requests within a minute were compared.
   */
  get noise (): boolean { return this.#noise.isNoise }

  /** Whether enough pairs of requests were compared for `noise`. */
  get isNoiseKnown (): boolean { return this.#noise.isKnown }

  /**
   * Notes one request that loaded its value. An absent dimension counts as a value of its own. `Suspects` chooses the observed
   * dimensions. `nowSeconds` should not decrease.
   */
  note (keyHash: number, nowSeconds: number, fingerprint: number, dimensions: Dimensions): void {
    const rings = this.#rings
    const slot = rings.slotOf(keyHash)
    if (slot === undefined) return
    if (rings.requests(slot) === 0) this.#clear(slot)
    this.#suspects.meet(dimensions)
    const print = fingerprint >>> 0
    const reach = rings.reach(slot, nowSeconds)
    const printLag = rings.lastOf(this.#prints, slot, print, reach)
    const returned = printLag > 1 ? chancesOf(this.#rings.size, this.#reaches, slot, printLag) : undefined
    const request: Request = { slot, nowSeconds, reach, print, printLag, returned }
    for (const suspect of this.#suspects.list) this.#look(suspect, suspect.labelOf(dimensions), request)
    const context = contextOf(dimensions)
    this.#compareNoise(slot, context, nowSeconds, print, reach)
    this.#contexts[rings.at(slot, 0)] = context
    this.#prints[rings.at(slot, 0)] = print
    this.#reaches.add(slot, reach)
    rings.push(slot, nowSeconds)
    this.#seen++
    if (reach > 0) this.#compared++
    this.#reaches.age(slot, rings.requests(slot), this.#seen)
    for (const { lags } of this.#suspects.list) lags.age(slot, rings.requests(slot), this.#seen)
  }

  /** The observations on each dimension that can disprove a leak that an earlier process found. */
  get evidence (): LeakEvidence[] { return this.#suspects.list.map(({ evidence }) => evidence) }

  /** Observes a dimension at all times, so that the evidence on it is not lost. */
  reserve (dimension: string): void { this.#suspects.reserve(dimension) }

  /** The dimension that best explains different answers; `undefined` while no dimension is certain. */
  leak (): Leak | undefined {
    const suspects = this.#suspects.list.filter(({ isConsistent }) => isConsistent)
    const top = Math.max(...suspects.map(({ score }) => score))
    if (!(top >= CERTAIN)) return undefined
    // The dimension that explains most different answers is named, not the most certain one: a dimension with few values may need more
    // returns for the same certainty.
    const plausible = suspects.filter(({ score }) => score > CERTAIN / 4)
    const best = Math.max(...plausible.map(({ explanation }) => explanation))
    const named = plausible.filter(({ explanation }) => explanation > best - ALIKE)
      .sort((a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind) || b.explanation - a.explanation)[0]!
    return {
      dimension: named.name,
      kind: named.kind,
      same: { compared: named.same, agreeing: named.agreeing },
      other: { compared: named.other, differing: named.differing },
      returns: named.returns,
      explained: named.explained,
      contradicted: named.contradicted,
      compared: named.neighbours,
      confidence: 1 - Math.exp(-top)
    }
  }

  #look (suspect: Suspect, label: number, request: Request): void {
    const { slot, nowSeconds, reach, print, printLag } = request
    const { labels } = suspect
    const lag = this.#rings.lastOf(labels, slot, label, reach)
    if (lag > 0) {
      suspect.same++
      if (this.#prints[this.#rings.at(slot, lag)] === print) suspect.agreeing++
      else if (printLag > 0) suspect.astray++
    }
    if (reach > 0 && labels[this.#rings.at(slot, 1)] !== UNKNOWN) suspect.noteNeighbours(lag === 1, printLag === 1, nowSeconds)
    // Requests from before the dimension was observed have the label `UNKNOWN`. While one of them is among the compared requests, a return
    // is not judged: the last request with the same value of the dimension may be one of them.
    if (reach === 0 || labels[this.#rings.at(slot, reach)] !== UNKNOWN) {
      this.#judge(suspect, lag, request)
      suspect.lags.add(slot, lag)
    }
    labels[this.#rings.at(slot, 0)] = label
  }

  /** Bets on a return: updates the score of a dimension by whether the dimension predicted the return. */
  #judge (suspect: Suspect, lag: number, { slot, print, printLag, returned }: Request): void {
    if (returned === undefined) return
    suspect.judged++
    if (++suspect.returns === FORGOTTEN_AT) for (const count of EVIDENCE) suspect[count] >>>= 1
    const isPredicted = lag === printLag
    if (isPredicted) suspect.explained++
    else if (lag > 0 && this.#prints[this.#rings.at(slot, lag)] !== print) suspect.contradicted++
    const chance = chanceOf(suspect.lags, slot, printLag, returned)
    if (chance >= BET) return
    const gain = isPredicted ? BET / chance : (1 - BET) / (1 - chance)
    suspect.score = Math.max(FLOOR, suspect.score + Math.log(gain))
  }

  #compareNoise (slot: number, context: number, nowSeconds: number, print: number, reach: number): void {
    const lag = this.#rings.lastOf(this.#contexts, slot, context, reach)
    if (lag === 0 || this.#rings.age(slot, lag, nowSeconds) > NOISE_WITHIN) return
    this.#noise.add(this.#prints[this.#rings.at(slot, lag)] !== print)
  }

  #clear (slot: number): void {
    this.#reaches.clear(slot)
    for (const { lags } of this.#suspects.list) lags.clear(slot)
  }
}

/** A 16-bit hash of all dimensions, observed or not. The hash does not depend on the order of dimensions, which clients choose. */
function contextOf (dimensions: Dimensions): number {
  let context = 0
  for (const name in dimensions) {
    let part = dimensions[name]! >>> 0
    for (let at = 0; at < name.length; at++) part = Math.imul(part ^ name.charCodeAt(at), 0x9e3779b1)
    context = (context + (part ^ part >>> 15)) >>> 0
  }
  return context % 65_536
}
