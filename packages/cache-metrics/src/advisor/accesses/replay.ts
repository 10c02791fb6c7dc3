import { setImmediate as nextTurn } from 'node:timers/promises'
import { READ, TAG } from '../curve/access-kinds.js'
import type { ReuseCurve } from '../curve/reuse-curve.js'
import type { SavedAccesses, SavedRing } from './sampled-accesses.js'
import type { TraceTime } from './trace-time.js'

/** The number of accesses that are simulated in one turn of the event loop, which takes a millisecond or less. */
const ACCESSES_PER_TURN = 4096

/** The accesses that one process recorded. `until`: the end of the recording, in milliseconds since 1970; no access is later. */
export interface Recording { readonly accesses: SavedAccesses; readonly until: number }

/** The recordings of several processes that are simulated together. `time` converts the times of their accesses to times of one trace. */
export interface Replay {
  readonly recordings: readonly Recording[]
  readonly time: TraceTime
  /** The limits of the strata's hashes, as `strataOf` returns them. */
  readonly strata: readonly number[]
  /** Milliseconds that are added to each time of an earlier process's trace, so that it ends when this process begins, by its stopwatch. */
  readonly shift?: number
}

/**
 * Simulates the accesses of several processes in a reuse curve, in the order of their times. If a ring has dropped older accesses, the
 * accesses in the first half of its time only fill the caches, and misses are counted in the second half.
 */
export async function replay (curve: ReuseCurve, { recordings, time, strata, shift = 0 }: Replay): Promise<void> {
  let open = recordings.flatMap(({ accesses, until }) =>
    [...accesses.strata, accesses.invalidations].map((ring) => new Cursor(ring, until))).filter((cursor) => cursor.next())
  const begins = countingBegins(recordings, curve.limits, strata, time)
  curve.stopCounting()
  for (let turn = 0; open.length > 0; turn++) {
    if (turn % ACCESSES_PER_TURN === ACCESSES_PER_TURN - 1) await nextTurn()
    let first = open[0]!
    for (const cursor of open) if (cursor.time < first.time) first = cursor
    const now = time.at(first.time)
    while (begins.length > 0 && begins[0]!.begin <= now) curve.startCounting(begins.shift()!.stratum)
    const { kind, hash, word } = first
    curve.add(kind, hash, kind >= TAG ? word : now + shift)
    if (!first.next()) open = open.filter((cursor) => cursor !== first)
  }
  for (const { stratum } of begins) curve.startCounting(stratum)
}

/** Returns, for each stratum of the curve, the time of the trace from which misses are counted, in ascending order. */
function countingBegins (
  recordings: readonly Recording[], limits: readonly number[], strata: readonly number[], time: TraceTime
): { stratum: number, begin: number }[] {
  const end = time.at(Math.max(0, ...recordings.map(({ until }) => until)))
  const invalidations = Math.max(0, ...recordings.map(({ accesses, until }) => wholeSince(accesses.invalidations, until, time)))
  return limits.map((limit, stratum) => {
    // All keys with hashes below the limit are simulated: they are in the rings of all strata except those above the limit.
    const first = strata.findIndex((_, at) => (strata[at + 1] ?? 0) < limit)
    const since = Math.max(0, ...recordings.flatMap(({ accesses, until }) =>
      accesses.strata.slice(first).map((ring) => wholeSince(ring, until, time))))
    return { stratum, begin: Math.max(invalidations, since === 0 ? 0 : since + (end - since) / 2) }
  }).sort((a, b) => a.begin - b.begin)
}

/** Returns the time of the trace from which on a ring has all accesses; 0: the ring has dropped no access. */
function wholeSince (ring: SavedRing, until: number, time: TraceTime): number {
  if (ring.isWhole) return 0
  return time.at(ring.words.length === 0 ? until : timeOf(ring.words[0]!, until))
}

/** Returns the time of the last recorded read of any key, in milliseconds since 1970; 0: there is none. */
export function lastReadOf ({ strata }: SavedAccesses, until: number): number {
  return Math.max(0, ...strata.map(({ kinds, words }) => {
    const at = kinds.lastIndexOf(READ)
    return at === -1 ? 0 : timeOf(words[at]!, until)
  }))
}

/** Returns the time since 1970, at most `until`, of a word that contains it modulo 2^32 milliseconds (49 days). */
function timeOf (word: number, until: number): number {
  return until - ((Math.floor(until) - word) >>> 0)
}

/** A position in a ring of accesses, and the access at that position. */
class Cursor {
  readonly #ring: SavedRing
  readonly #until: number
  #at = -1
  time = 0
  kind = READ
  hash = 0
  word = 0

  constructor (ring: SavedRing, until: number) {
    this.#ring = ring
    this.#until = until
  }

  /** Moves to the next access of the ring; returns `false` after the last one. */
  next (): boolean {
    const { kinds, hashes, words } = this.#ring
    if (++this.#at >= kinds.length) return false
    this.kind = kinds[this.#at]!
    this.hash = hashes[this.#at]!
    this.word = words[this.#at]!
    if (this.kind < TAG) this.time = timeOf(this.word, this.#until)
    return true
  }
}
