import type { Cache } from './contract/cache.js'
import type { Claim, FullCache, Time } from './conformance/claim.js'
import { checkedInputClaims, inputClaims } from './conformance/input-claims.js'
import { leaseClaims } from './conformance/lease-claims.js'
import { lifetimeClaims } from './conformance/lifetime-claims.js'
import { lockClaims } from './conformance/lock-claims.js'
import { checkedManyClaims, manyClaims } from './conformance/many-claims.js'
import { passThroughClaims } from './conformance/pass-through-claims.js'
import { richClaims } from './conformance/rich-claims.js'
import { snapshotClaims } from './conformance/snapshot-claims.js'
import { checkedTouchClaims, touchClaims } from './conformance/touch-claims.js'
import { tagClaims } from './conformance/tag-claims.js'
import { valueClaims } from './conformance/value-claims.js'

/** The maximum number of times that a claim is checked in real time, if the machine was too busy in each earlier check. */
const MAX_ATTEMPTS = 10
/**
 * The longest delay by a busy machine, as a fraction of the shortest lifetime (option `unit`), with which a failed check of a claim counts.
 * After a longer delay lifetimes may have ended too early, and the check is repeated.
 */
const LATE_UNITS = 0.25

/** The options of `testCache`, which declares the claims of the contract as tests. */
export interface CacheTestOptions {
  /** Declares one test: the function of `node:test`, tap, vitest or mocha. The test must fail if `run` rejects. */
  test: (name: string, run: () => Promise<void>) => unknown
  /** Makes an empty cache that shares nothing with earlier ones; closed after each test, if it has `close`. */
  make: () => Cache | Promise<Cache>
  /**
   * Makes a second cache that uses the same store as `cache`, like the cache of another process. It is closed after each test, if it has
   * `close`. Claims about leases are then checked between the two caches. Default: `cache` is used for both.
   */
  peerOf?: (cache: Cache) => Cache | Promise<Cache>
  /** The prefix of the name of each test. Default: the name of the cache, or of its class. */
  name?: string
  /** Advances the clock and the timers of the cache by `ms`. Default: waits in real time. */
  advance?: (ms: number) => void | Promise<void>
  /**
   * The shortest lifetime of an entry in the claims, in seconds, of which the other lifetimes are multiples. Default 1 with `advance`, 0.2
   * without. A slow store needs a longer lifetime.
   */
  unit?: number
  /**
   * Whether the cache itself refuses invalid keys, tags, values and lifetimes, with the codes of this package. A cache that is only used
   * through `fastify.cache` need not check them, since `fastify.cache` checks the arguments of every call. Default `false`.
   */
  checksInput?: boolean
  /** Whether the cache reads dates, maps, sets, BigInts and typed arrays as they were stored: its serializer is `rich`. Default `false`. */
  isRich?: boolean
}

/**
 * Declares the contract of `Cache` as tests: one test for each claim about the members of the implementation. For a `passThrough`
 * implementation, the claims about a cache that stores nothing are declared. Resolves when all tests are declared and, where `test`
 * returns a promise, have run.
 */
export async function testCache (options: CacheTestOptions): Promise<void> {
  const { test, make, peerOf, name, advance, unit, checksInput = false, isRich = false } = options
  const sample = await make()
  const claims = claimsFor(sample, checksInput, isRich)
  const label = name ?? sample.name ?? sample.constructor.name
  await sample.close?.()
  for (const claim of claims) {
    /** Checks the claim on a new cache; `false`: the check failed, but the machine was so busy that lifetimes may have ended too early. */
    const attempt = async (): Promise<boolean> => {
      const cache = await make()
      const peer = claim.needs?.includes('leases') === true && peerOf !== undefined ? await peerOf(cache) : cache
      const time = new ClaimTime(advance, unit)
      try {
        await claim.check(cache as FullCache, time, peer as FullCache)
        return true
      } catch (error) {
        if (!time.isLate) throw error
        return false
      } finally {
        if (peer !== cache) await peer.close?.()
        await cache.close?.()
      }
    }
    await test(`${label}: ${claim.name}`, async () => {
      for (let attempts = 0; attempts < MAX_ATTEMPTS; attempts++) if (await attempt()) return
      throw new Error(`The claim failed ${MAX_ATTEMPTS} times, each time on a machine too busy for its lifetimes: give a larger unit, or advance`)
    })
  }
}

function claimsFor (cache: Cache, checksInput: boolean, isRich: boolean): Claim[] {
  const claims = cache.passThrough === true
    ? passThroughClaims
    : [...valueClaims, ...lifetimeClaims, ...tagClaims, ...snapshotClaims, ...leaseClaims, ...lockClaims, ...manyClaims, ...touchClaims]
  const checked = checksInput ? [...checkedInputClaims, ...checkedManyClaims, ...checkedTouchClaims] : []
  const rich = isRich ? richClaims : []
  return [...claims, ...rich, ...inputClaims, ...checked].filter(({ needs = [] }) => needs.every((member) => cache[member] !== undefined))
}

/** Measures the time of one check of a claim, from the time at which the object is made. */
class ClaimTime implements Time {
  readonly unit: number
  readonly #advance: CacheTestOptions['advance']
  readonly #began = performance.now()
  /** The milliseconds that the claim has let pass on purpose so far, by calls of `pass`. */
  #waited = 0

  constructor (advance: CacheTestOptions['advance'], unit: number | undefined) {
    this.#advance = advance
    this.unit = unit ?? (advance === undefined ? 0.2 : 1)
  }

  readonly pass = async (units: number): Promise<void> => {
    const ms = units * this.unit * 1000
    this.#waited += ms
    await (this.#advance ?? wait)(ms)
  }

  /** Whether more real time has passed than the lifetimes of a claim allow, because the machine was busy. */
  get isLate (): boolean {
    return this.#advance === undefined && performance.now() - this.#began - this.#waited > LATE_UNITS * this.unit * 1000
  }
}

function wait (ms: number): Promise<void> {
  return new Promise((resolve) => { setTimeout(resolve, ms) })
}
