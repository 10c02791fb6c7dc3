import type { Loader } from '../contract/loader.js'
import { readStopwatch } from '../lib/clock.js'
import type { MeasuredService } from '../telemetry/measure.js'
import type { Counters } from '../telemetry/counters.js'
import { runLoader, type Load } from './load.js'

/** The loader of one load, with the data that is needed to measure the load. */
export interface LoaderRun<T> {
  readonly load: Load
  readonly loader: Loader<T>
  /** The counters of the loaded key's pattern on the implementation in front of the loader. */
  readonly counters: Counters
  readonly timeoutMs: number | undefined
  /** Whether no caller waits for the loaded value. */
  readonly isBackground: boolean
}

/**
 * Runs a loader, records its duration and emits the event `loaded`; `onValue` is called with the value before the promise resolves,
 * `onFailure` before the promise rejects. Neither callback may throw.
 */
export function timeLoad<T> (
  service: MeasuredService, run: LoaderRun<T>, onValue?: (value: T) => void, onFailure?: () => void
): Promise<T> {
  const began = readStopwatch(service.clock)
  let loaded: T | Promise<T>
  try {
    loaded = runLoader(run.load, run.loader, run.timeoutMs)
  } catch (error) {
    noteLoad(service, run, began, undefined, { error })
    onFailure?.()
    return Promise.reject(error)
  }
  // The function is not async, since an additional promise would add to the cost of observing.
  return Promise.resolve(loaded).then((value) => {
    noteLoad(service, run, began, value)
    onValue?.(value)
    return value
  }, (error: unknown) => {
    noteLoad(service, run, began, undefined, { error })
    onFailure?.()
    throw error
  })
}

function noteLoad<T> (
  { clock, events }: MeasuredService, { load, counters, isBackground }: LoaderRun<T>, began: number, value: unknown,
  failure?: { readonly error: unknown }
): void {
  // The keys of a batch share the duration of the load, so that the sum over all loads is the time that the source spent.
  const seconds = (readStopwatch(clock) - began) / 1000 / load.sharers
  counters.loaded++
  counters.valueHits()
  if (isBackground) counters.costs.refresh += seconds
  counters.loads.record(seconds, failure !== undefined)
  if (events.has('loaded')) events.emit('loaded', load.key, counters.keyPattern, seconds, value, failure?.error, isBackground)
}
