import { SHADOW_AGES, SHADOW_OUTCOMES, type CanaryStatus } from '@x/cache-core/suite'
import { countsByArm } from '../traffic/arms.js'
import { ofTheWhole, statusOf, type Emit, type Metric } from './metric.js'

const ARMS = ['cached', 'control', 'none'] as const
const VERDICTS = ['go', 'wait', 'back'] as const
function ofTheCanary (read: (status: CanaryStatus, emit: Emit) => void, ...labelNames: string[]): Pick<Metric, 'type' | 'labelNames' | 'ofCache'> {
  const ofCache: NonNullable<Metric['ofCache']> = (cache, emit) => {
    const status = cache.canaryStatus?.()
    if (status !== undefined) read(status, emit)
  }
  return { type: 'gauge', labelNames, ofCache }
}

/** The metrics of the rollout: both arms, and the stage of the canary. */
export const ROLLOUT_METRICS: readonly Metric[] = [
  {
    name: 'cache_request_failures_total',
    type: 'counter',
    help: 'Requests that were answered with a status of 500 or more, or had no response after five seconds when their connection ended, by the arm of the rollout.',
    labelNames: ['route', 'arm'],
    ofTraffic ({ routes }, emit) {
      for (const { label, durations, failures } of routes) {
        // An arm with requests has a series even without failures, since `rate()` does not count the step from no series to a first count.
        for (const arm of ARMS) if (durations[arm] !== undefined) emit(failures[arm], label, arm)
      }
    }
  },
  {
    name: 'cache_loads_total',
    type: 'counter',
    help: 'Loads that ended, by the arm of the rollout.',
    labelNames: ['key_pattern', 'arm'],
    ofCache ({ stats }, emit) {
      for (const [keyPattern, arms] of countsByArm(stats)) for (const [arm, { loads }] of Object.entries(arms)) emit(loads, keyPattern, arm)
    }
  },
  {
    name: 'cache_rollout_percent',
    help: 'The share of subjects that are in, in percent; 0 while nothing is cached for anybody.',
    // `cache_rollout_percent` is 0 as long as no cache that stores values is registered, so that the start of a rollout at 50 % is visible
    // as an increase. During an outage of a cache the metric keeps its value.
    ...ofTheWhole('gauge', (cache) => cache.active.passThrough && statusOf(cache).degraded !== true ? 0 : cache.rollout.percent)
  },
  {
    name: 'cache_rollout_stage',
    help: 'The stage of the canary: 0 is the baseline. No series without a canary.',
    ...ofTheCanary(({ stage }, emit) => emit(stage))
  },
  {
    name: 'cache_rollout_paused',
    help: 'Whether the canary raises nothing, since an operator paused it or used the kill switch: 1 or 0. No series without a canary.',
    ...ofTheCanary(({ paused, killed }, emit) => emit(paused || killed ? 1 : 0))
  },
  {
    name: 'cache_rollout_verdict',
    help: 'The last verdict on the stage of the canary: 1 for that verdict, else 0. Only the process that decides has these series.',
    ...ofTheCanary(({ lastVerdict }, emit) => {
      if (lastVerdict !== undefined) for (const each of VERDICTS) emit(each === lastVerdict ? 1 : 0, each)
    }, 'verdict')
  }
]

/** The metrics of shadow reads. */
export const SHADOW_METRICS: readonly Metric[] = [
  {
    name: 'cache_shadow_reads_total',
    type: 'counter',
    help: 'Loads of the control arm that were compared with the entry of the cache, by outcome.',
    labelNames: ['key_pattern', 'outcome'],
    ofCache ({ shadow }, emit) {
      for (const { keyPattern, outcomes } of shadow.stats.patterns.values()) {
        for (const outcome of SHADOW_OUTCOMES) emit(outcomes[outcome], keyPattern, outcome)
      }
    }
  },
  {
    name: 'cache_shadow_age_seconds',
    type: 'histogram',
    help: 'The age of the entries that were compared with a loaded value.',
    labelNames: ['key_pattern', 'outcome'],
    buckets: SHADOW_AGES,
    ofCache ({ shadow }, emit) {
      for (const { keyPattern, ages } of shadow.stats.patterns.values()) {
        for (const [outcome, histogram] of Object.entries(ages)) if (histogram.count > 0) emit(histogram, keyPattern, outcome)
      }
    },
    followCache: ({ events }, emit) => events.on('shadowed', (keyPattern, outcome, age) => {
      if ((outcome === 'match' || outcome === 'differs' || outcome === 'mismatch') && !Number.isNaN(age)) emit(age, keyPattern, outcome)
    })
  }
]
