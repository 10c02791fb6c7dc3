import { checkTags } from '../contract/arguments.js'
import type { Tags, TagSnapshot } from '../contract/cache.js'
import { checkNames } from '../contract/option-names.js'
import { checkReserved } from '../contract/reserved-tags.js'
import type { Result } from '../contract/result.js'
import { hasTakenEffect, type ClientCalls } from './client-calls.js'

/**
 * Makes the object `fastify.cache.tags`. Its calls check their tags and count failures; `invalidate` also supersedes the loads with these
 * tags.
 */
export function tagCalls (calls: ClientCalls): Required<Tags> {
  const capture = async (tags: string[]): Promise<Result<TagSnapshot>> => {
    const error = checkTags(tags) ?? checkReserved(tags)
    if (error !== undefined) return calls.refuse('tags.capture', error)
    const { active } = calls.registry
    return calls.failed(active.stats, 'tags.capture', await calls.timed(active, 'tags.capture', active.capture(tags)))
  }

  const isCurrent = async (snapshot: TagSnapshot): Promise<Result<boolean>> => {
    const { active } = calls.registry
    const result = await calls.timed(active, 'tags.isCurrent', active.areTagsCurrent(snapshot))
    // An implementation whose entries no other process shares has no `tags.isCurrent`; its error is therefore not counted as a failure.
    return !result.ok && result.error.code === 'CACHE_ERR_UNSUPPORTED' ? result : calls.failed(active.stats, 'tags.isCurrent', result)
  }

  const invalidate = async (tags: string[], options: { soft?: boolean } | undefined): Promise<Result<void>> => {
    const error = checkTags(tags) ?? checkReserved(tags) ?? checkNames('invalidate', options)
    if (error !== undefined) return calls.refuse('tags.invalidate', error)
    const soft = options?.soft === true
    const { active, flights, events, doubts, stats } = calls.registry
    doubts.lookAtRemoval('tag', tags, (tag) => stats.patterns.of(tag))
    // Loads are superseded before the invalidation, so that no caller joins a load that may have read old data, and again after it, for
    // loads that began in between.
    flights.supersedeTags(tags)
    const result = await calls.timed(active, 'tags.invalidate', active.invalidate(tags, soft))
    flights.supersedeTags(tags)
    if (hasTakenEffect(result)) events.emit('invalidated', tags, soft)
    if (!result.ok) return calls.failed(active.stats, 'tags.invalidate', result)
    for (const tag of tags) active.stats.countInvalidation(tag)
    return result
  }

  return {
    capture,
    isCurrent,
    invalidate: (tags, options) => invalidate(typeof tags === 'string' ? [tags] : tags, options)
  }
}
