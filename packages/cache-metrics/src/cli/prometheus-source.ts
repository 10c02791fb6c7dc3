import { gates, verdictOf, type Gate, type GateNumbers } from '../advisor/report/go-no-go-gates.js'
import { perSecond } from '../advisor/report/rate.js'
import type { Report } from '../advisor/report/report.js'
import type { PrometheusSource } from './sources.js'
import { PrometheusQuery, type Sample } from './prometheus-query.js'
import { shown } from './server.js'

/** The numbers of one key pattern that Prometheus measured. */
export interface MeasuredPattern {
  readonly name: string
  readonly readsPerHour: number
  /** Hits per read of a cache that stores, 0 to 1; `undefined`: no cache that stores values had reads. */
  readonly hitRate: number | undefined
  /** The mean duration of a load in seconds; `undefined`: there were no loads. */
  readonly meanLoadSeconds: number | undefined
  /** Loader seconds that the hits of an hour saved; `undefined` if hit rate or load time is not known. */
  readonly savedSecondsPerHour: number | undefined
}

/** The advisor's report from a Prometheus server: it has measured numbers but no reuse curves, and therefore no advice. */
export interface PrometheusReport extends Report {
  /** The numbers of each key pattern, sorted by reads per hour times mean load time, the highest first. */
  readonly measured: readonly MeasuredPattern[]
}

export async function reportOfPrometheus (source: PrometheusSource, timeoutMs: number): Promise<PrometheusReport> {
  const query = new PrometheusQuery(source, timeoutMs)
  // The query for the observed time runs first and alone, so that an unreachable server or a wrong selector gives one error.
  const seconds = await query.observedSeconds()
  const [candidates, etagMatches, edgeCandidates, requests, slow, hits, misses, loadSeconds, loads] = await Promise.all([
    query.increase('cache_candidate_requests', 'route'),
    query.increase('etag_match_total'),
    query.increase('cache_edge_candidates_total'),
    query.increase('cache_request_duration_seconds_count'),
    query.quantile(0.95, 'cache_request_duration_seconds', 'route'),
    query.increase('cache_hits_total', 'key_pattern', 'impl'),
    query.increase('cache_miss_total', 'key_pattern', 'impl'),
    query.increase('cache_load_duration_seconds_sum', 'key_pattern'),
    query.increase('cache_load_duration_seconds_count', 'key_pattern')
  ])
  const reads = [...hits, ...misses]
  const rows = gatesOf({
    seconds,
    source: 'prometheus',
    candidates: sumOf(candidates),
    etagMatches: sumOf(etagMatches),
    edgeCandidates: sumOf(edgeCandidates),
    requests: sumOf(requests),
    routes: namesIn('route', [...candidates, ...slow]).map((route) => ({
      name: route, requests: sumOf(candidates, { route }), p95Seconds: slow.find(({ labels }) => labels.route === route)?.value
    })),
    patterns: namesIn('key_pattern', reads).map((name) => ({ name, requests: sumOf(reads, { key_pattern: name }) }))
  }, source.minSeconds, new Map([
    ['cache_candidate_requests', candidates], ['etag_match_total', etagMatches], ['requests', requests], ['cache_hits_total', reads]
  ]))
  const measured = namesIn('key_pattern', reads).map((name): MeasuredPattern => {
    const stored = (all: readonly Sample[]) => sumOf(all.filter(({ labels }) => labels.impl !== 'null'), { key_pattern: name })
    const perHour = (count: number) => perSecond(count, seconds) * 3600
    const meanLoadSeconds = ratio(sumOf(loadSeconds, { key_pattern: name }), sumOf(loads, { key_pattern: name }))
    const hitRate = ratio(stored(hits), stored(reads))
    return {
      name,
      readsPerHour: perHour(sumOf(reads, { key_pattern: name })),
      hitRate,
      meanLoadSeconds,
      savedSecondsPerHour: hitRate === undefined || meanLoadSeconds === undefined ? undefined : perHour(stored(hits)) * meanLoadSeconds
    }
  })
  const weight = ({ readsPerHour, meanLoadSeconds = 0 }: MeasuredPattern): number => readsPerHour * meanLoadSeconds
  return {
    version: 1,
    generatedAt: new Date().toISOString(),
    source: `prometheus ${shown(source.server.url)}`,
    observedSeconds: seconds,
    requests: Math.round(sumOf(requests)),
    verdict: verdictOf(rows),
    advice: [],
    gates: rows,
    plan: undefined,
    notes: notesOn(seconds, source),
    measured: measured.filter(({ readsPerHour }) => readsPerHour > 0)
      .sort((a, b) => weight(b) - weight(a) || b.readsPerHour - a.readsPerHour)
  }
}

/** Returns the gates. A gate whose formula has a metric without any series in the window has no value, in place of a value of 0. */
function gatesOf (numbers: GateNumbers, minSeconds: number | undefined, metrics: ReadonlyMap<string, readonly Sample[]>): Gate[] {
  const missing = [...metrics].filter(([, samples]) => samples.length === 0).map(([name]) => new RegExp(`\\b${name}\\b`))
  return gates(numbers, minSeconds).map((row) =>
    missing.some((name) => name.test(row.formula)) ? { ...row, value: undefined, verdict: 'not enough data' } : row)
}

function notesOn (seconds: number, { selector }: PrometheusSource): string[] {
  if (seconds === 0) return [`There are no cache metrics in the window${selector === '' ? '' : ` with ${selector}`}: is the app scraped, and does --selector match its labels?`]
  return ['Prometheus knows what was, and not what another cache would do: hit-rate curves, and a plan, need the app (--app) or a trace (--trace). The verdict is that of the gates.']
}

function namesIn (label: string, samples: readonly Sample[]): string[] {
  return [...new Set(samples.map(({ labels }) => labels[label] ?? ''))]
}

function sumOf (samples: readonly Sample[], wanted: Readonly<Record<string, string>> = {}): number {
  return samples
    .filter(({ labels }) => Object.entries(wanted).every(([name, value]) => (labels[name] ?? '') === value))
    .reduce((sum, { value }) => sum + value, 0)
}

function ratio (one: number, other: number): number | undefined {
  return other > 0 ? one / other : undefined
}
