import type { Immediate } from '../contract/sync-read.js'
import type { CacheRegistry } from '../service/registry.js'
import type { ImplStats } from './stats.js'

/** Notes how long an operation took that began at `began` (milliseconds of the registry's clock). */
function noteDuration ({ clock, events }: CacheRegistry, stats: ImplStats, operation: string, began: number): void {
  const seconds = (clock.now() - began) / 1000
  stats.observe(operation, seconds)
  events.emit('operated', stats.label, operation, seconds)
}

/** Reads what is answered at once, and measures it if durations are measured at all. */
// oxlint-disable-next-line max-params -- on the path of every hit: an object of parameters would be garbage of each call
export function readMeasured<M extends keyof Immediate> (
  registry: CacheRegistry, stats: ImplStats, operation: string, immediate: Immediate, method: M, key: string
): ReturnType<Immediate[M]> {
  if (!registry.stats.measuresDurations) return immediate[method](key) as ReturnType<Immediate[M]>
  const began = registry.clock.now()
  const result = immediate[method](key) as ReturnType<Immediate[M]>
  noteDuration(registry, stats, operation, began)
  return result
}

/** Measures an operation, if durations are measured at all. `pending` never rejects. */
export function measured<T> (registry: CacheRegistry, stats: ImplStats, operation: string, pending: Promise<T>): Promise<T> {
  if (!registry.stats.measuresDurations) return pending
  const began = registry.clock.now()
  return pending.then((result) => {
    noteDuration(registry, stats, operation, began)
    return result
  })
}
