import type { Result } from '../contract/result.js'
import { declineNear, readNear, readNow, shareNear, shareNow, type EntryUser, type Immediate, type NearReads, type SharedEntry } from '../contract/sync-read.js'
import { readStopwatch, type Clock } from '../lib/clock.js'
import type { Events } from './events.js'
import type { ImplStats, Stats } from './counters.js'

/** The parts of the registry that a measurement of cache operations needs; `CacheRegistry` implements this interface. */
export interface MeasuredService {
  readonly clock: Clock
  readonly events: Events
  readonly stats: Stats
}

/** The reads of one implementation that need no promise; `Registration` implements this interface. */
export interface LocalReads {
  readonly immediate: Immediate | undefined
  readonly near: NearReads | undefined
  readonly stats: ImplStats
}

/** The keys of a cache operation; `undefined`: the operation has no key, or its keys may be invalid. */
type Keys = string | readonly string[] | undefined

/** Records the duration of a cache operation that began at `began` (a reading of `readStopwatch`). */
function noteDuration (service: MeasuredService, stats: ImplStats, operation: string, began: number, keys: Keys): void {
  noteSeconds(service, stats, operation, (readStopwatch(service.clock) - began) / 1000, keys)
}

function noteSeconds ({ events }: MeasuredService, stats: ImplStats, operation: string, seconds: number, keys: Keys): void {
  stats.observe(operation, seconds)
  if (keys !== undefined) stats.noteCost(operation, seconds, keys)
  events.emit('operated', stats.label, operation, seconds)
}

/**
 * Records the duration of a synchronous read, whose key may be invalid. The cost is added for a sample of the reads only, since finding the
 * pattern of each key would slow down every hit.
 */
function noteRead (service: MeasuredService, stats: ImplStats, operation: string, seconds: number, key: string): void {
  noteSeconds(service, stats, operation, seconds, undefined)
  if (stats.isReadSampled()) stats.noteSampledRead(operation, seconds, key)
}

/** Returns the result of a synchronous cache read. Its duration is recorded if the registry measures durations. */
export function readMeasured<M extends keyof Immediate> (
  service: MeasuredService, stats: ImplStats, immediate: Immediate, method: M, key: string
): ReturnType<Immediate[M]> {
  if (!service.stats.measuresDurations) return immediate[method](key) as ReturnType<Immediate[M]>
  const began = readStopwatch(service.clock)
  const result = immediate[method](key) as ReturnType<Immediate[M]>
  noteRead(service, stats, method === readNow ? 'get' : 'getEntry', (readStopwatch(service.clock) - began) / 1000, key)
  return result
}

/**
 * Returns the result of a read from the near cache; its duration is recorded if the registry measures durations. The result is `undefined`,
 * and no duration is recorded, if the near cache has no such entry.
 */
export function readNearMeasured<M extends typeof readNear | typeof shareNear> (
  service: MeasuredService, stats: ImplStats, near: NearReads, method: M, key: string
): ReturnType<NearReads[M]> {
  if (!service.stats.measuresDurations) return near[method](key) as ReturnType<NearReads[M]>
  const began = readStopwatch(service.clock)
  const result = near[method](key) as ReturnType<NearReads[M]>
  if (result !== undefined) noteRead(service, stats, method === readNear ? 'get' : 'getEntry', (readStopwatch(service.clock) - began) / 1000, key)
  return result
}

/**
 * Reads an entry, and passes it to `user`, which decides whether to use it. Returns the result of the read, whose duration without that of
 * `user` is recorded if the registry measures durations. If there is no entry or `user` did not use it, returns `undefined` and records
 * nothing.
 */
export function useMeasured (
  service: MeasuredService, { immediate, near, stats }: LocalReads, key: string, user: EntryUser
): Result<SharedEntry | null> | undefined {
  const isMeasured = service.stats.measuresDurations
  const began = isMeasured ? readStopwatch(service.clock) : 0
  const result = immediate === undefined ? near?.[shareNear](key) : immediate[shareNow](key)
  const took = isMeasured ? readStopwatch(service.clock) - began : 0
  let isUsed = false
  try {
    isUsed = result?.ok === true && result.value !== null && user.use(result.value)
  } finally {
    // An entry is not used if `user` throws, either: the read that follows counts the hit.
    if (!isUsed && immediate === undefined && result !== undefined) near![declineNear]?.()
  }
  if (!isUsed) return undefined
  if (isMeasured) noteRead(service, stats, 'getEntry', took / 1000, key)
  return result
}

/**
 * Returns the promise `pending` of a cache operation, which never rejects; its duration is recorded if the registry measures durations.
 * @param keys the checked keys of the operation, to whose patterns its duration is added as a cost
 */
export function measured<T> (service: MeasuredService, stats: ImplStats, operation: string, pending: Promise<T>, keys?: Keys): Promise<T> {
  if (!service.stats.measuresDurations) return pending
  const began = readStopwatch(service.clock)
  return pending.then((result) => {
    noteDuration(service, stats, operation, began, keys)
    return result
  })
}

/**
 * Calls `store`, a cache operation that never rejects, and returns its promise. If the registry measures durations, the whole duration is
 * recorded. The time until `store` returns is recorded as the cost of serialising, since implementations serialise or copy the value in
 * that time.
 */
export function storeMeasured<T> (
  service: MeasuredService, stats: ImplStats, operation: string, keys: string | readonly string[], store: () => Promise<T>
): Promise<T> {
  if (!service.stats.measuresDurations) return store()
  const began = readStopwatch(service.clock)
  const pending = store()
  const blocked = (readStopwatch(service.clock) - began) / 1000
  return pending.then((result) => {
    noteDuration(service, stats, operation, began, keys)
    stats.noteSerialized(blocked, keys)
    return result
  })
}
