import type { Result, TagSnapshot, Tags } from '@x/cache-core'
import { checkTags, err, ok } from '@x/cache-core/implementing'
import type { RedisParts } from '../compose.js'
import { GENERATION } from '../entries/keys.js'
import { RedisSnapshot, tokensOf } from './snapshot.js'

/** The member `tags` of the contract `Cache`: checks the arguments, and runs the operations while Redis is in service. */
export function redisTags ({ service, tokens, validity, announcer, settings }: RedisParts): Tags {
  return {
    capture: async (tags): Promise<Result<TagSnapshot>> => {
      const error = checkTags(tags)
      if (error !== undefined) return err(error)
      return service.run('tags.capture', async () => {
        const captured = await tokens.capture([GENERATION, ...tags], settings.defaultTtl * 1000)
        const generation = captured.get(GENERATION)!
        captured.delete(GENERATION)
        return new RedisSnapshot(generation, captured)
      })
    },
    isCurrent: async (snapshot) => {
      if (!(snapshot instanceof RedisSnapshot)) return ok(false)
      return service.run('tags.isCurrent', () => validity.areCurrent(tokensOf(snapshot)))
    },
    invalidate: async (given, options) => {
      const tags = typeof given === 'string' ? [given] : given
      const soft = options?.soft === true
      const error = checkTags(tags)
      if (error !== undefined) return err(error)
      const result = await service.remove('tags.invalidate', tags.map((name) => ({ kind: soft ? 'soft' : 'tag', name })))
      if (result.ok) announcer?.announce(tags, soft)
      return result
    }
  }
}
