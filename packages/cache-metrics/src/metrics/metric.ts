import type { CacheRegistry } from '@x/cache-core'
import type { ImplementationStatus } from '@x/cache-core/implementing'
import type { Traffic } from '../traffic/traffic.js'

// The members of the status of @x/cache-redis that are exported as metrics. They are declared here, since packages of the suite do not
// import one another.
declare module '@x/cache-core/implementing' {
  interface ImplementationStatus {
    breaker?: 'closed' | 'half-open' | 'open'
    tracking?: 'trusted' | 'in doubt' | 'off'
    queuedInvalidations?: number
    near?: { entries: number; bytes: number; hits: number; ageBoundMs: number }
  }
}

/**
 * The value of a histogram metric: counts by bucket, the number of observed durations, and their sum in seconds. The counts are not
 * cumulative; the last one counts durations above the highest bound.
 */
export interface HistogramValue { readonly counts: readonly number[]; readonly count: number; readonly sum: number }

/** The value of a series of a metric: a histogram, or a number. */
export type Value = number | HistogramValue

/** Receives one series of a metric: its value, and its label values in the order of `labelNames`. */
export type Emit<V extends Value = Value> = (value: V, ...labels: string[]) => void

/** One metric: its name, type and labels, and the function that reads it from the cache or the app's traffic. */
export interface Metric {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly labelNames: readonly string[]
  /** Whether the values of a counter may have fractions, as seconds do; default `false`. */
  readonly isFractional?: boolean
  /** Upper bounds of the buckets of a histogram metric, in seconds. */
  readonly buckets?: readonly number[]
  readonly ofCache?: (cache: CacheRegistry, emit: Emit) => void
  readonly ofTraffic?: (traffic: Traffic, emit: Emit) => void
  /** Emits each new observation of a histogram metric; returns the function that removes the listener. */
  readonly followCache?: (cache: CacheRegistry, emit: Emit<number>) => () => void
  readonly followTraffic?: (traffic: Traffic, emit: Emit<number>) => () => void
}

/** Returns type, labels and reader of a metric that has one number, read from the cache registry, and no labels. */
export function ofTheWhole (type: 'counter' | 'gauge', read: (cache: CacheRegistry) => number): Pick<Metric, 'type' | 'labelNames' | 'ofCache'> {
  return { type, labelNames: [], ofCache: (cache, emit) => emit(read(cache)) }
}

/** Returns the status of the implementation in service; empty if its method `status` throws. */
export function statusOf ({ active }: CacheRegistry): ImplementationStatus {
  try {
    return active.impl.status?.() ?? {}
  } catch {
    // If the `status()` of an app's own implementation throws, the metrics that do not need it are still exported.
    return {}
  }
}
