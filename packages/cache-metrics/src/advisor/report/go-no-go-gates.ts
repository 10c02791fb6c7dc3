import { perSecond } from './rate.js'

/** The verdict of a gate (a go or no-go criterion); `inconclusive`: the value lies between its two thresholds. */
export type GateVerdict = 'go' | 'no-go' | 'inconclusive' | 'not enough data'

/** One row of the go/no-go matrix: a gate with its value and verdict. */
export interface Gate {
  readonly name: string
  /** The formula of the gate, written with the names of metrics. */
  readonly formula: string
  /** The source of the numbers in the gate's formula, such as `prometheus` or `trace`. */
  readonly source: string
  readonly threshold: string
  /** The value of the gate's formula; `undefined`: the source lacks the numbers of the formula. */
  readonly value: number | undefined
  readonly unit: 'share' | 'per second' | 'per minute' | 'per hour' | 'count' | 'seconds'
  readonly verdict: GateVerdict
}

/** The numbers of the go/no-go matrix: counts since the beginning of the observation. */
export interface GateNumbers {
  /** The duration of the advisor's observation in seconds. */
  readonly seconds: number
  /** The source of the counts: `this process`, `prometheus` or `a trace`. */
  readonly source: string
  /** The sum of the metric `cache_candidate_requests` over all routes. */
  readonly candidates: number
  /** The sum of the metric `etag_match_total` over all routes. */
  readonly etagMatches: number
  /** The sum of the metric `cache_edge_candidates_total` over all routes; 0 without `@x/cache-edge`. */
  readonly edgeCandidates: number
  /** The number of requests to all routes that got a response, from the handler or from the cache. */
  readonly requests: number
  readonly routes: readonly { readonly name: string; readonly requests: number; readonly p95Seconds: number | undefined }[]
  readonly patterns: readonly { readonly name: string; readonly requests: number }[]
}

/** Seconds of observation below which the verdict of a gate is `not enough data`. A week includes a weekend. */
export const MIN_OBSERVED_SECONDS = 7 * 24 * 3600

interface Rule {
  /** Whether the gate shows the demand for a cache, or the benefit of a cache. */
  readonly shows: 'demand' | 'benefit'
  readonly name: string
  readonly formula: string
  readonly threshold: string
  readonly unit: Gate['unit']
  readonly value: (numbers: GateNumbers) => number | undefined
  /** The threshold above which the verdict of the gate is `go`. */
  readonly go: number
  /** The threshold below which the verdict of the gate is `no-go`. By default a value at or below the threshold `go` is `no-go`. */
  readonly stop?: number
}

const EDGE_HIT_RATE = 'Edge hit rate'

const RULES: readonly Rule[] = [
  {
    name: EDGE_HIT_RATE,
    shows: 'benefit',
    formula: 'etag_match_total / cache_candidate_requests',
    threshold: '> 30 % go on, < 10 % stop',
    unit: 'share',
    // The edge hit rate is not known without @x/cache-edge, which counts the 304 responses.
    value: ({ etagMatches, candidates, edgeCandidates }) =>
      edgeCandidates === 0 && etagMatches === 0 ? undefined : ratio(etagMatches, candidates),
    go: 0.3,
    stop: 0.1
  },
  {
    name: 'Candidate volume',
    shows: 'demand',
    formula: 'rate(cache_candidate_requests)',
    threshold: '> 100 requests per second',
    unit: 'per second',
    value: ({ candidates, seconds }) => rate(candidates, seconds),
    go: 100
  },
  {
    name: '304 rate',
    shows: 'benefit',
    formula: 'etag_match_total / requests',
    threshold: '> 20 %',
    unit: 'share',
    value: ({ etagMatches, requests, edgeCandidates }) =>
      edgeCandidates === 0 && etagMatches === 0 ? undefined : ratio(etagMatches, requests),
    go: 0.2
  },
  {
    name: 'Candidate routes',
    shows: 'demand',
    formula: 'count(sum by (route) (cache_candidate_requests) > 0)',
    threshold: 'at least 5',
    unit: 'count',
    value: ({ routes }) => routes.filter(({ requests }) => requests > 0).length,
    go: 4.5
  },
  {
    name: 'Busiest route, per minute',
    shows: 'demand',
    formula: 'max(sum by (route) (rate(cache_candidate_requests))) * 60',
    threshold: '> 100 requests per minute',
    unit: 'per minute',
    value: ({ routes, seconds }) => rate(60 * busiest(routes), seconds),
    go: 100
  },
  {
    name: 'Busiest route, per hour',
    shows: 'demand',
    formula: 'max(sum by (route) (rate(cache_candidate_requests))) * 3600',
    threshold: '> 1000 requests per hour',
    unit: 'per hour',
    value: ({ routes, seconds }) => rate(3600 * busiest(routes), seconds),
    go: 1000
  },
  {
    name: 'Busiest key pattern, per minute',
    shows: 'demand',
    formula: 'max(sum by (key_pattern) (rate(cache_hits_total + cache_miss_total))) * 60',
    threshold: '> 100 reads per minute',
    unit: 'per minute',
    value: ({ patterns, seconds }) => rate(60 * busiest(patterns), seconds),
    go: 100
  },
  {
    name: 'Slow endpoints',
    shows: 'demand',
    formula: 'max(histogram_quantile(0.95, sum by (route, le) (cache_request_duration_seconds_bucket)))',
    threshold: '> 500 ms',
    unit: 'seconds',
    value: ({ routes }) => {
      const known = routes.flatMap(({ p95Seconds }) => p95Seconds ?? [])
      return known.length === 0 ? undefined : Math.max(...known)
    },
    go: 0.5
  }
]

/**
 * The rows of the go/no-go matrix. The verdict of a row is `not enough data` before `minSeconds` of observation, or without a value. A
 * known value is shown in any case.
 */
export function gates (numbers: GateNumbers, minSeconds = MIN_OBSERVED_SECONDS): Gate[] {
  return RULES.map(({ name, formula, threshold, unit, value: compute, go, stop }) => {
    const value = compute(numbers)
    const verdict = value === undefined || numbers.seconds < minSeconds
      ? 'not enough data'
      : value > go ? 'go' : stop === undefined || value < stop ? 'no-go' : 'inconclusive'
    return { name, formula, source: numbers.source, threshold, value, unit, verdict }
  })
}

/**
 * The verdict of the go/no-go matrix. It is `not enough data` if all gates that show the demand are. Otherwise it is no-go if none of them
 * is go or the edge hit rate is no-go; else inconclusive if the edge hit rate is, or go.
 */
export function verdictOf (rows: readonly Gate[]): GateVerdict {
  const hitRate = rows.find(({ name }) => name === EDGE_HIT_RATE)
  const demand = rows.filter((row) => RULES.some(({ name, shows }) => name === row.name && shows === 'demand')).map(({ verdict }) => verdict)
  if (demand.every((verdict) => verdict === 'not enough data')) return 'not enough data'
  if (hitRate?.verdict === 'no-go' || !demand.includes('go')) return 'no-go'
  return hitRate?.verdict === 'inconclusive' ? 'inconclusive' : 'go'
}

function busiest (all: readonly { readonly requests: number }[]): number {
  return Math.max(0, ...all.map(({ requests }) => requests))
}

function rate (count: number, seconds: number): number | undefined {
  return seconds > 0 ? perSecond(count, seconds) : undefined
}

function ratio (one: number, other: number): number | undefined {
  return other > 0 ? one / other : undefined
}
