import { freshnessOf, type HeaderFields } from '@x/cache-core/suite'
import t from 'tap'
import { bypassOf, decide, type BypassRules, type Decision } from '../../src/rules/decide.js'

interface Scene {
  method?: string
  request?: HeaderFields
  /** The `Cache-Control` of the stored response; `undefined`: the request selects no stored response. */
  stored?: string
  /** Further fields of the stored response. */
  fields?: HeaderFields
  /** Seconds since the stored response was received. */
  age?: number
  isInvalidated?: boolean
  isOther?: boolean
  isRefresh?: boolean
  hasFailed?: boolean
  isRefreshRefused?: boolean
  rules?: Partial<BypassRules<unknown, undefined>>
}

const NOW = Date.UTC(2026, 0, 1)

function decisionOn ({ method = 'GET', request = {}, stored, fields = {}, age = 0, isInvalidated = false, isOther = false, isRefresh = false, hasFailed = false, isRefreshRefused = false, rules = {} }: Scene): Decision {
  const raw = { headers: request }
  const bypass = bypassOf(
    { method, raw }, undefined, { personalReason: () => null, hasOtherParameter: () => false, isOtherHost: () => false, ...rules }
  )
  if (bypass !== undefined) return bypass
  const receivedAt = NOW - age * 1000
  const found = stored === undefined
    ? undefined
    : {
        isStale: isInvalidated,
        head: { receivedAt, freshness: freshnessOf({ status: 200, headers: { 'cache-control': stored, ...fields } }, { requestedAt: receivedAt, receivedAt }) }
      }
  return decide({ method, headers: request, key: 'k', refresh: isRefresh ? {} : undefined }, { found, isOther }, { hasFailed: () => hasFailed, isRefreshRefused: () => isRefreshRefused }, NOW)
}

const swr = 'max-age=60, stale-while-revalidate=30'
const sie = 'max-age=60, stale-if-error=30'
const onlyIfCached = { 'cache-control': 'only-if-cached' }

const rows: Array<[clause: string, scene: Scene, kind: Decision['kind'], why: unknown]> = [
  ['RFC 9111 §4 no stored response', {}, 'miss', 'uri-miss'],
  ['RFC 9111 §4 a stored response within its lifetime', { stored: 'max-age=60', age: 59 }, 'hit', 'fresh'],
  ['RFC 9111 §4 HEAD from a stored GET', { method: 'HEAD', stored: 'max-age=60' }, 'hit', 'fresh'],
  ['RFC 9111 §4 an unsafe method is written through', { method: 'POST', stored: 'max-age=60' }, 'bypass', { fwd: 'method' }],
  ['RFC 9111 §4.1 other variants only', { isOther: true }, 'miss', 'vary-miss'],
  ['RFC 9111 §4.2 the age equals the lifetime', { stored: 'max-age=60', age: 60 }, 'revalidate', 'stale'],
  ['RFC 9111 §4.2.1 s-maxage beats max-age', { stored: 'max-age=1, s-maxage=60', age: 30 }, 'hit', 'fresh'],
  ['RFC 9111 §4.2.1 Expires without max-age', { stored: 'public', fields: { expires: new Date(NOW + 60_000).toUTCString() } }, 'hit', 'fresh'],
  ['RFC 9111 §4.2.2 no heuristic lifetime', { stored: 'public' }, 'revalidate', 'stale'],
  ['RFC 9111 §4.2.3 the Age that it came with counts', { stored: 'max-age=60', fields: { age: '50' }, age: 20 }, 'revalidate', 'stale'],
  ['RFC 9111 §4.2.4 stale without leave', { stored: 'max-age=60', age: 61 }, 'revalidate', 'stale'],
  ['RFC 9111 §4.2.4 must-revalidate bars the windows', { stored: `${swr}, must-revalidate`, age: 61, hasFailed: true }, 'revalidate', 'stale'],
  ['RFC 9110 §14.2 a range of a fresh response', { request: { range: 'bytes=0-1' }, stored: 'max-age=60' }, 'hit', 'fresh'],
  ['RFC 9110 §14.2 a range of a response in its stale window', { request: { range: 'bytes=0-1' }, stored: swr, age: 61 }, 'stale-while-revalidate', 'stale'],
  ['RFC 9111 §3.3 a range of a stale response is left to the handler', { request: { range: 'bytes=0-1' }, stored: 'max-age=60', age: 61 }, 'range', 'stale'],
  ['RFC 9111 §3.3 a range, and nothing is stored', { request: { range: 'bytes=0-1' } }, 'range', 'uri-miss'],
  ['RFC 9111 §3.3 a range, and another variant is stored', { request: { range: 'bytes=0-1' }, isOther: true }, 'range', 'vary-miss'],
  ['RFC 9111 §5.2.1.7 only-if-cached with a range, and nothing is stored', { request: { ...onlyIfCached, range: 'bytes=0-1' } }, 'gateway-timeout', 'uri-miss'],
  ['RFC 9110 §14.2 HEAD ignores a range', { method: 'HEAD', request: { range: 'bytes=0-1' } }, 'miss', 'uri-miss'],
  ['RFC 9111 §4.4 an invalidated response', { stored: 'max-age=60', isInvalidated: true }, 'revalidate', 'stale'],
  ['RFC 9111 §4.4 an invalidated response in its stale window', { stored: swr, isInvalidated: true }, 'stale-while-revalidate', 'stale'],
  ['RFC 9111 §5.2.1.4 request no-cache is ignored by a cache of the origin', { request: { 'cache-control': 'no-cache' }, stored: 'max-age=60' }, 'hit', 'fresh'],
  ['RFC 9111 §5.2.1.5 request no-store', { request: { 'cache-control': 'no-store' }, stored: 'max-age=60' }, 'bypass', { fwd: 'request', detail: 'no-store' }],
  ['RFC 9111 §5.2.1.7 only-if-cached, and it is', { request: onlyIfCached, stored: 'max-age=60' }, 'hit', 'fresh'],
  ['RFC 9111 §5.2.1.7 only-if-cached, and nothing is stored', { request: onlyIfCached }, 'gateway-timeout', 'uri-miss'],
  ['RFC 9111 §5.2.1.7 only-if-cached, and another variant is stored', { request: onlyIfCached, isOther: true }, 'gateway-timeout', 'vary-miss'],
  ['RFC 9111 §5.2.1.7 only-if-cached, and it is stale', { request: onlyIfCached, stored: 'max-age=60', age: 61 }, 'gateway-timeout', 'stale'],
  ['RFC 9111 §5.2.2.2 must-revalidate, and fresh', { stored: 'max-age=60, must-revalidate' }, 'hit', 'fresh'],
  ['RFC 9111 §5.2.2.4 no-cache within its lifetime', { stored: 'max-age=60, no-cache' }, 'revalidate', 'stale'],
  ['RFC 9111 §5.2.2.8 proxy-revalidate bars the windows', { stored: `${swr}, proxy-revalidate`, age: 61 }, 'revalidate', 'stale'],
  ['RFC 9111 §5.2.2.10 s-maxage bars the windows', { stored: `${swr}, s-maxage=60`, age: 61 }, 'revalidate', 'stale'],
  ['RFC 9111 §3.5 a personal request', { stored: 'max-age=60', rules: { personalReason: () => 'personal' } }, 'bypass', { fwd: 'bypass', detail: 'personal' }],
  ['RFC 9111 §2 another query than the policy names', { stored: 'max-age=60', rules: { hasOtherParameter: () => true } }, 'bypass', { fwd: 'bypass', detail: 'query' }],
  ['RFC 9111 §7.1 a host that the app does not declare', { stored: 'max-age=60', rules: { isOtherHost: () => true } }, 'bypass', { fwd: 'bypass', detail: 'host' }],
  ['RFC 5861 §3 stale within stale-while-revalidate', { stored: swr, age: 89 }, 'stale-while-revalidate', 'stale'],
  ['RFC 10008 §2.7 QUERY, fresh', { method: 'QUERY', stored: 'max-age=60' }, 'hit', 'fresh'],
  ['RFC 10008 §2.7 QUERY, stale within stale-while-revalidate', { method: 'QUERY', stored: swr, age: 61 }, 'revalidate', 'stale'],
  ['RFC 10008 §2.7 QUERY with a range, which it ignores', { method: 'QUERY', request: { range: 'bytes=0-1' } }, 'miss', 'uri-miss'],
  ['RFC 5861 §3 past the window', { stored: swr, age: 90 }, 'revalidate', 'stale'],
  ['RFC 5861 §3 a refresh that a hook refused', { stored: swr, age: 61, isRefreshRefused: true }, 'revalidate', 'stale'],
  ['RFC 5861 §3 the refresh itself', { stored: swr, age: 61, isRefresh: true }, 'revalidate', 'stale'],
  ['RFC 5861 §4 stale, and the handler failed a moment ago', { stored: sie, age: 61, hasFailed: true }, 'stale-if-error', 'stale'],
  ['RFC 5861 §4 stale, and no failure is known', { stored: sie, age: 61 }, 'revalidate', 'stale'],
  ['RFC 5861 §4 past the window', { stored: sie, age: 90, hasFailed: true }, 'revalidate', 'stale'],
  ['RFC 5861 §4 fresh beside a failure', { stored: sie, hasFailed: true }, 'hit', 'fresh']
]

for (const [clause, scene, kind, why] of rows) {
  t.test(`decide: ${clause}: ${kind}`, async (t) => t.same(decisionOn(scene), { kind, why }))
}
