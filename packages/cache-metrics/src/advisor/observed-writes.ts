import { checkTags } from '@x/cache-core/implementing'
import type { Core } from '@x/cache-core/suite'
import { MAX_TAGS } from './curve/entry-tags.js'
import { hashKey, type KeyHasher } from './hash.js'
import type { RouteObservation } from './route-observation.js'

/** The observations of an app by key pattern and by route, and the functions of the advisor that its writes need. */
export interface ObservedApp {
  readonly patterns: ReadonlyMap<string, RouteObservation>
  readonly routes: ReadonlyMap<string, RouteObservation>
  readonly keys: KeyHasher
  /** Runs a function that calls code of the app. */
  safely (note: () => void): void
}

/**
 * Notes removals, tags and invalidations in the hit-rate curves of the key patterns, and `clear` in all curves. They come from the events of
 * the client, so that they are noted with any implementation, NullCache too.
 * @returns the functions that remove the listeners
 */
export function watchWrites (core: Core, { patterns, routes, keys: hasher, safely }: ObservedApp): ReadonlyArray<() => void> {
  const { events, stats } = core.registry
  return [
    events.on('stored', (key, pattern, value, tags) => {
      if (tags === undefined) return
      const observed = patterns.get(pattern)
      if (observed === undefined) return
      if (typeof tags !== 'function') noteTags(observed, hasher.of(key), tags)
      else safely(() => noteTags(observed, hasher.of(key), tags(value)))
    }),
    events.on('removed', (keys) => {
      for (const key of keys) patterns.get(stats.patterns.of(key))?.curve.noteRemoval(hasher.of(key))
    }),
    events.on('invalidated', (tags) => {
      for (const tag of tags) {
        const hashed = hashKey(tag)
        for (const { curve } of patterns.values()) if (curve.hasTags) curve.noteInvalidation(hashed)
      }
    }),
    events.on('cleared', () => {
      for (const { curve } of [...patterns.values(), ...routes.values()]) curve.noteClear()
    })
  ]
}

/** Notes the tags of an entry. A function of the app may return no valid list, which the cache would refuse; such an entry has no tags. */
function noteTags ({ curve }: RouteObservation, hash: number, tags: readonly string[]): void {
  if (checkTags(tags as string[]) !== undefined) return
  for (let at = 0; at < tags.length && at < MAX_TAGS; at++) curve.noteTag(hash, at, hashKey(tags[at]!))
}
