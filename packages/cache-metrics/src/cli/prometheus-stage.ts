import { baselineCriteria, defaultCriteria, judge, NOT_OF_THE_CACHE, type Criteria, type Evidence } from '@x/cache-core/suite'
import type { PrometheusSource } from './sources.js'
import type { StageFindings } from './output.js'
import { PrometheusQuery, type Sample } from './prometheus-query.js'

/** Hours of the canary's baseline: the default of the core, since no metric has the hours that the app's options set. */
const BASELINE_HOURS = 24
/** The length, in seconds, of the recent time in which many failures of the cached arm count as an error burst. */
const RECENT_SECONDS = 600

/** The stage of a canary as far as metrics in Prometheus show it, with notes about data that the metrics do not have. */
export interface MeasuredStage { readonly stage: StageFindings | undefined; readonly notes: readonly string[] }

/**
 * Judges the stage of a canary by the same function as the app. Prometheus has no data on single subjects, so the criteria that compare the
 * same subjects before and during the stage are left out. `undefined`: there is no canary, or its stage changed within the window.
 */
export async function stageOfPrometheus (source: PrometheusSource, seconds: number, timeoutMs: number): Promise<MeasuredStage> {
  const query = new PrometheusQuery(source, timeoutMs)
  const [{ value: stage } = { value: undefined }] = await query.now('max', 'cache_rollout_stage')
  if (stage === undefined) return { stage: undefined, notes: [] }
  const [[{ value: percent } = { value: 0 }], ...changes] = await Promise.all([
    query.now('max', 'cache_rollout_percent'), query.change('cache_rollout_stage'), query.change('cache_rollout_percent')
  ])
  if (changes.some(([change]) => change !== undefined && change.value !== 0)) {
    return { stage: undefined, notes: ['The stage of the canary changed within the window: give a --window that begins after the change, or ask the app (--app).'] }
  }
  const [evidence, recent] = await Promise.all([
    totals(query), totals(new PrometheusQuery({ ...source, windowSeconds: Math.min(source.windowSeconds, RECENT_SECONDS) }, timeoutMs))
  ])
  const recentOf = ({ requests, failures }: Evidence['cached']): Evidence['recent']['cached'] =>
    ({ requests, failures, requestsOfOthers: requests, failuresOfOthers: failures })
  const { kind, reason, gates } = judge({
    stage,
    percent,
    observedMinutes: seconds / 60,
    hasControl: evidence.control.requests > 0,
    ...evidence,
    latency: { p50: undefined, p95: undefined, p99: undefined },
    failures: undefined,
    ownFailures: undefined,
    loads: undefined,
    missing: undefined,
    regression: undefined,
    windows: [],
    recent: {
      minutes: RECENT_SECONDS / 60,
      cached: recentOf(recent.cached),
      control: recentOf(recent.control),
      loads: undefined,
      hitRates: undefined
    },
    hitRates: undefined
  }, absolute(stage === 0 ? baselineCriteria(BASELINE_HOURS) : defaultCriteria(percent)))
  return {
    stage: { percent, verdict: kind, reason, gates: gates.map(({ value = null, ...row }) => ({ ...row, value })) },
    notes: ['The stage is judged by the default criteria that need no subjects: an app with other criteria, and the comparison of its subjects, answer at --app.']
  }
}

function absolute ({ back: { errorPercent, cacheErrorPercent }, ...criteria }: Criteria): Criteria {
  return { ...criteria, back: { errorPercent, cacheErrorPercent } }
}

async function totals (query: PrometheusQuery): Promise<Pick<Evidence, 'cached' | 'control'>> {
  const [requests, failures, loads, p50, p95, p99, ...byImpl] = await Promise.all([
    query.increase('cache_request_duration_seconds_count', 'arm'),
    query.increase('cache_request_failures_total', 'arm'),
    query.increase('cache_loads_total', 'arm'),
    ...[0.5, 0.95, 0.99].map((share) => query.quantile(share, 'cache_request_duration_seconds', 'arm')),
    ...['cache_hits_total', 'cache_miss_total', 'cache_set_total', 'cache_del_total'].map((name) => query.increase(name, 'impl')),
    query.increase('cache_errors_total', 'impl', 'error_type')
  ])
  const [hits, misses, sets, dels, errors] = byImpl
  const of = (arm: 'cached' | 'control'): Evidence['cached'] => {
    const byArm = (samples: readonly Sample[] | undefined): number => sum(samples?.filter(({ labels }) => labels.arm === arm))
    const ofImpl = (samples: readonly Sample[] | undefined): number =>
      sum(samples?.filter(({ labels }) => (labels.impl === 'null') === (arm === 'control') && !NOT_OF_THE_CACHE.has(labels.error_type ?? '')))
    const ms = (samples: readonly Sample[] | undefined): number | undefined => {
      const found = samples?.find(({ labels }) => labels.arm === arm)
      return found && 1000 * found.value
    }
    return {
      requests: byArm(requests),
      failures: byArm(failures),
      p50: ms(p50),
      p95: ms(p95),
      p99: ms(p99),
      reads: ofImpl(hits) + ofImpl(misses),
      hits: ofImpl(hits),
      loads: byArm(loads),
      cacheErrors: ofImpl(errors),
      operations: [hits, misses, sets, dels, errors].reduce((all, samples) => all + ofImpl(samples), 0)
    }
  }
  return { cached: of('cached'), control: of('control') }
}

/** Returns the sum of the samples as a whole number. Prometheus extrapolates increases, so a sample may have a fraction. */
function sum (samples: readonly Sample[] = []): number {
  return Math.round(samples.reduce((all, { value }) => all + value, 0))
}
