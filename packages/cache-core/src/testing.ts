import type { Cache } from './contract/cache.js'
import type { Claim, FullCache, Time } from './conformance/claim.js'
import { checkedInputClaims, inputClaims } from './conformance/input-claims.js'
import { leaseClaims } from './conformance/lease-claims.js'
import { lifetimeClaims } from './conformance/lifetime-claims.js'
import { lockClaims } from './conformance/lock-claims.js'
import { checkedManyClaims, manyClaims } from './conformance/many-claims.js'
import { passThroughClaims } from './conformance/pass-through-claims.js'
import { snapshotClaims } from './conformance/snapshot-claims.js'
import { tagClaims } from './conformance/tag-claims.js'
import { valueClaims } from './conformance/value-claims.js'

/** What `testCache` needs to know. */
export interface CacheTestOptions {
  /** Declares one test: that of `node:test`, tap, vitest or mocha. It must fail if `run` rejects. */
  test: (name: string, run: () => Promise<void>) => unknown
  /** An empty cache that shares nothing with those made before; closed after each test, if it can be. */
  make: () => Cache | Promise<Cache>
  /**
   * A second cache on the same store as `cache`, as another process would have; closed after each test, if it can be. Claims about
   * leases are then checked between the two. Default: `cache` stands for both.
   */
  peerOf?: (cache: Cache) => Cache | Promise<Cache>
  /** Put before the name of each test. Default: the name of the cache, or of its class. */
  name?: string
  /** Moves the clock of the cache, and its timers, on by so many milliseconds. Default: really waits. */
  advance?: (ms: number) => void | Promise<void>
  /**
   * Seconds: the shortest lifetime in the suite, of which the others are multiples.
   * @default 1 with `advance`, 0.2 without
   * A slow store needs more.
   */
  unit?: number
  /**
   * It refuses bad keys, tags, values and lifetimes itself, with the codes of this package. Behind `fastify.cache`, which
   * checks in front of every implementation, there is no need to.
   * @default `false`
   */
  checksInput?: boolean
}

/**
 * The contract of `Cache` as tests: one for each sentence of it that applies to the members that the implementation has, or,
 * for one that is `passThrough`, to a cache that stores nothing. Resolves when all are declared (and, where `test` returns
 * a promise, have run).
 */
export async function testCache ({ test, make, peerOf, name, advance, unit, checksInput = false }: CacheTestOptions): Promise<void> {
  const time: Time = {
    unit: unit ?? (advance === undefined ? 0.2 : 1),
    pass: async (units) => { await (advance ?? wait)(units * time.unit * 1000) }
  }
  const sample = await make()
  const claims = claimsFor(sample, checksInput)
  const label = name ?? sample.name ?? sample.constructor.name
  await sample.close?.()
  for (const claim of claims) {
    await test(`${label}: ${claim.name}`, async () => {
      const cache = await make()
      const peer = claim.needs?.includes('leases') === true && peerOf !== undefined ? await peerOf(cache) : cache
      try {
        await claim.check(cache as FullCache, time, peer as FullCache)
      } finally {
        if (peer !== cache) await peer.close?.()
        await cache.close?.()
      }
    })
  }
}

function claimsFor (cache: Cache, checksInput: boolean): Claim[] {
  const claims = cache.passThrough === true
    ? passThroughClaims
    : [...valueClaims, ...lifetimeClaims, ...tagClaims, ...snapshotClaims, ...leaseClaims, ...lockClaims, ...manyClaims]
  const checked = checksInput ? [...checkedInputClaims, ...checkedManyClaims] : []
  return [...claims, ...inputClaims, ...checked].filter(({ needs = [] }) => needs.every((member) => cache[member] !== undefined))
}

function wait (ms: number): Promise<void> {
  return new Promise((resolve) => { setTimeout(resolve, ms) })
}
