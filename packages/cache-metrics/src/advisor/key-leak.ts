/** What a request carries besides its key, hashed to 32 bits: `user`, `header accept-language`, `query sort`. */
export type Dimensions = Readonly<Record<string, number>>

/** First word of a dimension. Several that explain equally well: the first of these is named. `header cookie` is a cookie. */
const KINDS = ['user', 'query', 'header', 'cookie', 'other'] as const
export type DimensionKind = typeof KINDS[number]

/** A part that the key lacks. The counts are those of late: they are halved every now and then. */
export interface Leak {
  /** As the caller named it. */
  readonly dimension: string
  readonly kind: DimensionKind
  /** Pairs of requests for one key, of one value of the dimension, and how many of them got one answer. */
  readonly same: { readonly compared: number, readonly agreeing: number }
  /** Neighbouring requests for one key, of two values of the dimension, and how many of them got two answers. */
  readonly other: { readonly compared: number, readonly differing: number }
  /** Times that a key had an older answer again, and how many of them the dimension foretold. */
  readonly returns: number
  readonly explained: number
  /** Of the rest, those at which the last request with the same value of the dimension had got another answer. */
  readonly contradicted: number
  /** 1 − the bound on the probability that a dimension without influence looks like this (see `KeyLeak`); above 0.999999. */
  readonly confidence: number
}

/** Keys that share a place: a new one takes that of the least used. */
const WAYS = 4
const MAX_KEYS = 64
const MAX_OBSERVATIONS = 32
/** More are not looked at. */
const MAX_DIMENSIONS = 16
/** A use of a key outweighs so many of strangers for its place. */
const MAX_CREDIT = 15
/** Seconds. What comes again after longer says more of the time of day than of who asked. */
const REMEMBERED = 3600
/** Seconds within which a value that differs is noise and not news. */
const NOISE_WITHIN = 60
const NOISE_PAIRS = 50
const NOISE_SHARE = 0.95
/** ln of the odds at which a dimension is accused: 10⁻⁶ by chance. */
const CERTAIN = Math.log(1e6)
/** Lowest ln of the odds, so that a leak which starts late is found. */
const FLOOR = -Math.log(100)
/** The share of returns that the bet expects a dimension to foretell. */
const BET = 0.5
/** Returns after which evidence is halved, so that a leak which starts late is not outweighed by what was before. */
const FORGOTTEN_AT = 256
const EVIDENCE = ['same', 'agreeing', 'other', 'differing', 'returns', 'explained', 'contradicted'] as const
/** Of the returns that a dimension foretold, as many may contradict it. */
const MAX_CONTRADICTED = 0.25
/** Explanations that differ by less are equally good. */
const ALIKE = 0.02
/** Counts are halved then, so that they follow the traffic. */
const HALVED_AT = 1024

/** Earlier requests that had enough before them to come back after n requests, or, `upTo`, the sum of them over 1 to n. */
interface Chances { upTo: number, here: number, anywhere: number }

interface Candidate {
  readonly name: string
  readonly kind: DimensionKind
  /** Its value in each remembered request. */
  readonly labels: Uint32Array
  /** Of each slot and lag, and of all slots together in the last row: how often its value was last there so many requests ago. */
  readonly counts: Uint16Array
  score: number
  same: number
  agreeing: number
  other: number
  differing: number
  returns: number
  explained: number
  contradicted: number
}

/**
 * Finds out that a key lacks a part: one key, two answers, as a user, header or query parameter differs.
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
 * foretold: where users and values both follow a rhythm, the estimates of q may lag behind it.
 *
 * Two that take strict turns and a value that takes turns at each load too cannot be told from a leak, and are not accused.
 *
 * Memory: a fixed number of keys, favouring those that are used most; of each its last requests. Nothing grows with users.
 */
export class KeyLeak {
  readonly #sets: number
  readonly #size: number
  readonly #keys: Float64Array
  readonly #credits: Uint8Array
  /** Requests of each slot. */
  readonly #requests: Float64Array
  readonly #prints: Uint32Array
  readonly #times: Float64Array
  /** Hashes of all the dimensions of a request. */
  readonly #contexts: Uint32Array
  readonly #candidates: Candidate[] = []
  readonly #names = new Set<string>()
  /** By slot, and all together in the last row: requests that so many could be compared with. */
  readonly #reaches: Uint16Array
  #seen = 0
  #noisePairs = 0
  #noiseDiffering = 0

  /**
   * @param options.maxKeys looked at at a time, rounded up to a multiple of 4
   * @param options.maxObservations remembered of each; a user who asks more rarely than every so many requests is a new one
   */
  constructor ({ maxKeys = MAX_KEYS, maxObservations = MAX_OBSERVATIONS }: { maxKeys?: number, maxObservations?: number } = {}) {
    this.#sets = Math.max(1, Math.ceil(maxKeys / WAYS))
    this.#size = Math.max(4, maxObservations)
    const slots = this.#sets * WAYS
    this.#keys = new Float64Array(slots).fill(NaN)
    this.#credits = new Uint8Array(slots)
    this.#requests = new Float64Array(slots)
    this.#prints = new Uint32Array(slots * this.#size)
    this.#times = new Float64Array(slots * this.#size)
    this.#contexts = new Uint32Array(slots * this.#size)
    this.#reaches = this.#newLags()
  }

  /** What is held, about. */
  get bytes (): number {
    let bytes = 0
    for (const array of [this.#keys, this.#credits, this.#requests, this.#prints, this.#times, this.#contexts, this.#reaches]) bytes += array.byteLength
    for (const { labels, counts } of this.#candidates) bytes += labels.byteLength + counts.byteLength + 300
    return bytes
  }

  /**
   * Whether values change at nearly every load though nothing else does (a random id, the time of the load): no key can help, and
   * no cache should keep them. `false` too while fewer than 50 pairs within a minute were seen.
   */
  get noise (): boolean {
    return this.#noisePairs >= NOISE_PAIRS && this.#noiseDiffering >= NOISE_SHARE * this.#noisePairs
  }

  /**
   * One request that loaded its value. The first 16 dimensions that are met are looked at; one that a request lacks counts as a
   * value of its own. Times should not run backwards.
   */
  note (keyHash: number, nowSeconds: number, fingerprint: number, dimensions: Dimensions): void {
    const slot = this.#slotOf(keyHash)
    if (slot === undefined) return
    for (const name in dimensions) if (!this.#names.has(name)) this.#meet(name)
    const print = fingerprint >>> 0
    const reach = this.#reach(slot, nowSeconds)
    const printLag = this.#lastOf(this.#prints, slot, print, reach)
    const returned = printLag > 1 ? this.#chances(slot, printLag) : undefined
    const next = this.#at(slot, 0)
    let context = 0
    for (const candidate of this.#candidates) {
      const label = dimensions[candidate.name]! >>> 0
      const lag = this.#lastOf(candidate.labels, slot, label, reach)
      if (lag > 0) {
        candidate.same++
        if (this.#prints[this.#at(slot, lag)] === print) candidate.agreeing++
      }
      if (lag !== 1 && reach > 0) {
        candidate.other++
        if (printLag !== 1) candidate.differing++
      }
      if (returned !== undefined) this.#judge(candidate, slot, lag, print, printLag, returned)
      this.#count(candidate.counts, slot, lag)
      candidate.labels[next] = label
      context = Math.imul(context ^ label, 0x9e3779b1)
      context ^= context >>> 15
    }
    this.#compareNoise(slot, context >>> 0, nowSeconds, print, reach)
    this.#contexts[next] = context
    this.#count(this.#reaches, slot, reach)
    this.#prints[next] = print
    this.#times[next] = nowSeconds
    if (++this.#requests[slot]! % HALVED_AT === 0) this.#halve(slot)
    if (++this.#seen % HALVED_AT === 0) this.#halve(this.#keys.length)
  }

  /** The part that explains best why answers differ; `undefined` while none is beyond doubt. */
  leak (): Leak | undefined {
    const candidates = this.#candidates.filter(isConsistent)
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

  /** `lag` requests before the next one of the slot. */
  #at (slot: number, lag: number): number {
    return slot * this.#size + (this.#requests[slot]! - lag) % this.#size
  }

  /** How many requests back are remembered and recent. */
  #reach (slot: number, nowSeconds: number): number {
    const most = Math.min(this.#requests[slot]!, this.#size - 1)
    if (most === 0 || nowSeconds - this.#times[this.#at(slot, most)]! <= REMEMBERED) return most
    let reach = 0
    while (nowSeconds - this.#times[this.#at(slot, reach + 1)]! <= REMEMBERED) reach++
    return reach
  }

  /** How many requests ago it was last; `0` is never. */
  #lastOf (values: Uint32Array, slot: number, value: number, reach: number): number {
    const first = slot * this.#size
    let at = this.#at(slot, 0)
    for (let lag = 1; lag <= reach; lag++) {
      at = at === first ? first + this.#size - 1 : at - 1
      if (values[at] === value) return lag
    }
    return 0
  }

  /** A key had an older answer again: did the dimension foretell it? */
  #judge (candidate: Candidate, slot: number, lag: number, print: number, printLag: number, chances: Chances): void {
    if (++candidate.returns === FORGOTTEN_AT) for (const count of EVIDENCE) candidate[count] >>>= 1
    const foretold = lag === printLag
    if (foretold) candidate.explained++
    else if (lag > 0 && this.#prints[this.#at(slot, lag)] !== print) candidate.contradicted++
    const chance = this.#chance(candidate, slot, printLag, chances)
    if (chance >= BET) return
    const gain = foretold ? BET / chance : (1 - BET) / (1 - chance)
    candidate.score = Math.max(FLOOR, candidate.score + Math.log(gain))
  }

  /** The probability that values of the dimension come back after `lag` requests. */
  #chance ({ counts }: Candidate, slot: number, lag: number, { upTo, here, anywhere }: Chances): number {
    const own = slot * this.#size
    let back = 0
    for (let shorter = 1; shorter <= lag; shorter++) back += counts[own + shorter]!
    return Math.max(
      (back + 0.5) / (upTo + 1),
      counts[own + lag]! / Math.max(1, here),
      counts[this.#keys.length * this.#size + lag]! / Math.max(1, anywhere)
    )
  }

  #chances (slot: number, lag: number): Chances {
    const own = slot * this.#size
    const all = this.#keys.length * this.#size
    const chances = { upTo: 0, here: 0, anywhere: 0 }
    for (let reach = 1; reach < this.#size; reach++) {
      const count = this.#reaches[own + reach]!
      chances.upTo += count * Math.min(reach, lag)
      if (reach < lag) continue
      chances.here += count
      chances.anywhere += this.#reaches[all + reach]!
    }
    return chances
  }

  #newLags (): Uint16Array {
    return new Uint16Array((this.#keys.length + 1) * this.#size)
  }

  #count (lags: Uint16Array, slot: number, lag: number): void {
    lags[slot * this.#size + lag]!++
    lags[this.#keys.length * this.#size + lag]!++
  }

  #halve (row: number): void {
    for (const lags of this.#lags()) for (let at = row * this.#size, end = at + this.#size; at < end; at++) lags[at]! >>>= 1
  }

  #lags (): Uint16Array[] {
    return [this.#reaches, ...Array.from(this.#candidates, ({ counts }) => counts)]
  }

  #compareNoise (slot: number, context: number, nowSeconds: number, print: number, reach: number): void {
    const lag = this.#lastOf(this.#contexts, slot, context, reach)
    const at = this.#at(slot, lag)
    if (lag === 0 || nowSeconds - this.#times[at]! > NOISE_WITHIN) return
    this.#noisePairs++
    if (this.#prints[at] !== print) this.#noiseDiffering++
    if (this.#noisePairs === HALVED_AT) {
      this.#noisePairs /= 2
      this.#noiseDiffering /= 2
    }
  }

  #slotOf (keyHash: number): number | undefined {
    const first = Math.imul(keyHash ^ (keyHash / 2 ** 32), 0x9e3779b1) >>> 0
    let least = first % this.#sets * WAYS
    for (let slot = least, end = least + WAYS; slot < end; slot++) {
      if (this.#keys[slot] === keyHash) {
        if (this.#credits[slot]! < MAX_CREDIT) this.#credits[slot]!++
        return slot
      }
      if (this.#credits[slot]! < this.#credits[least]!) least = slot
    }
    if (this.#credits[least]! > 0) {
      this.#credits[least]!--
      return undefined
    }
    this.#keys[least] = keyHash
    this.#credits[least] = 1
    this.#requests[least] = 0
    for (const lags of this.#lags()) lags.fill(0, least * this.#size, (least + 1) * this.#size)
    return least
  }

  #meet (name: string): void {
    if (this.#candidates.length >= MAX_DIMENSIONS) return
    this.#names.add(name)
    const word = /cookie/i.test(name) ? 'cookie' : name.split(' ', 1)[0]!
    const kind = KINDS.find((known) => known === word) ?? 'other'
    this.#candidates.push({
      name,
      kind,
      labels: new Uint32Array(this.#prints.length),
      counts: this.#newLags(),
      score: 0,
      same: 0,
      agreeing: 0,
      other: 0,
      differing: 0,
      returns: 0,
      explained: 0,
      contradicted: 0
    })
  }
}

/** Whether few returns speak against it. */
function isConsistent ({ explained, contradicted }: Candidate): boolean {
  return contradicted <= explained * MAX_CONTRADICTED
}

/** 0 to 2: the share of one value's pairs that agree, plus the share of two values' pairs that differ. */
function explanation ({ same, agreeing, other, differing }: Candidate): number {
  return agreeing / Math.max(1, same) + differing / Math.max(1, other)
}
