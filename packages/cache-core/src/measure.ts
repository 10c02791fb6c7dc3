import type { CacheRegistry } from './registry.js'
import type { ImplStats } from './stats.js'

/** Notes how long an operation took that began at `began` (milliseconds of `performance`). */
export function noteDuration ({ events }: CacheRegistry, stats: ImplStats, operation: string, began: number): void {
  const seconds = (performance.now() - began) / 1000
  stats.observe(operation, seconds)
  events.emit('operated', stats.label, operation, seconds)
}

/** Measures an operation, if durations are measured at all. `pending` never rejects. */
export function measured<T> (registry: CacheRegistry, stats: ImplStats, operation: string, pending: Promise<T>): Promise<T> {
  if (!registry.stats.measuresDurations) return pending
  const began = performance.now()
  return pending.then((result) => {
    noteDuration(registry, stats, operation, began)
    return result
  })
}
