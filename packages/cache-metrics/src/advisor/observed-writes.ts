import { checkTags } from '@x/cache-core/implementing'
import type { Core } from '@x/cache-core/suite'
import { MAX_TAGS } from './curve/entry-tags.js'
import type { KeyHasher } from './hash.js'
import type { RouteObservation } from './route-observation.js'

/** The observations of an app by key pattern and by route, and what `watchWrites` needs to add the app's writes to them. */
export interface ObservedApp {
  readonly patterns: ReadonlyMap<string, RouteObservation>
  readonly routes: ReadonlyMap<string, RouteObservation>
  readonly keys: KeyHasher
  /** Returns the time of the stopwatch, in milliseconds. */
  now (): number
  /** Runs a function that calls code of the app; an exception is counted and not passed on. */
  safely (note: () => void): void
}

/**
 * Adds removals, tags and invalidations to the reuse curves of the key patterns, and `clear` to all curves. They are taken from the events
 * of the cache client, so that they are known with any implementation, also with NullCache.
 * @returns the functions that remove the listeners
 */
export function watchWrites (core: Core, { patterns, routes, keys: hasher, now, safely }: ObservedApp): ReadonlyArray<() => void> {
  const { events, stats } = core.registry
  return [
    events.on('stored', (key, pattern, value, tags) => {
      if (tags === undefined) return
      const observed = patterns.get(pattern)
      if (observed === undefined) return
      if (typeof tags !== 'function') noteTags(observed, hasher, key, tags)
      else safely(() => noteTags(observed, hasher, key, tags(value)))
    }),
    events.on('removed', (keys) => {
      for (const key of keys) patterns.get(stats.patterns.of(key))?.noteRemoval(hasher.of(key), now())
    }),
    events.on('invalidated', (tags) => {
      for (const tag of tags) {
        const hashed = hasher.hash(tag)
        for (const observed of patterns.values()) observed.noteInvalidation(hashed, now())
      }
    }),
    events.on('cleared', () => {
      for (const observed of [...patterns.values(), ...routes.values()]) observed.noteClear(now())
    })
  ]
}

/**
 * Adds the tags of an entry to a reuse curve. An invalid list of tags, which the cache would refuse too, is ignored: the entry then has no
 * tags.
 */
export function noteTags (observed: RouteObservation, hasher: KeyHasher, key: string, tags: readonly string[]): void {
  if (checkTags(tags as string[]) !== undefined) return
  for (let at = 0; at < tags.length && at < MAX_TAGS; at++) observed.noteTag(hasher.of(key), at, hasher.hash(tags[at]!))
}
