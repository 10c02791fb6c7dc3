import type { Loader } from '../contract/loader.js'
import { runLoader, type Load } from './load.js'
import type { CacheRegistry } from '../service/registry.js'
import type { Loads } from '../telemetry/stats.js'

/** Runs the loader and notes how long it took; `then` sees what it gives. */
// oxlint-disable-next-line max-params -- on the path of every load: an object of parameters would be garbage of each call
export function timeLoad<T> (
  registry: CacheRegistry, load: Load, loads: Loads, loader: Loader<T>, timeoutMs: number | undefined, isBackground: boolean,
  then?: (value: T) => void
): Promise<T> {
  const began = registry.clock.now()
  let loaded: T | Promise<T>
  try {
    loaded = runLoader(load, loader, timeoutMs)
  } catch (failure) {
    noteLoad(registry, load, loads, began, undefined, failure, true, isBackground)
    return Promise.reject(failure)
  }
  // Not an async function: this is what an app feels of observing, and each promise is a part of it.
  return Promise.resolve(loaded).then((value) => {
    noteLoad(registry, load, loads, began, value, undefined, false, isBackground)
    then?.(value)
    return value
  }, (failure: unknown) => {
    noteLoad(registry, load, loads, began, undefined, failure, true, isBackground)
    throw failure
  })
}

// oxlint-disable-next-line max-params -- as timeLoad
function noteLoad (
  { clock, events }: CacheRegistry, { key }: Load, loads: Loads, began: number, value: unknown, failure: unknown, hasFailed: boolean,
  isBackground: boolean
): void {
  const seconds = (clock.now() - began) / 1000
  loads.record(seconds, hasFailed)
  if (events.has('loaded')) events.emit('loaded', key, loads.keyPattern, seconds, value, failure, isBackground)
}
