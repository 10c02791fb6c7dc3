import { checkTags } from '../../contract/arguments.js'
import type { TagSnapshot, Tags } from '../../contract/cache.js'
import { DONE, err, ok } from '../../contract/result.js'
import type { MemoryBounds } from './memory-bounds.js'
import type { MemoryTags } from './memory-tags.js'

/** Makes the member `tags` of a `MemoryCache`. */
export function memoryTagCalls (tags: MemoryTags, bounds: MemoryBounds): Tags {
  return {
    capture: async (list) => {
      const error = checkTags(list)
      if (error !== undefined) return err(error)
      const snapshot = tags.capture(list)
      bounds.makeRoom()
      return ok<TagSnapshot>(snapshot)
    },
    invalidate: async (tagOrList, options) => {
      const list = typeof tagOrList === 'string' ? [tagOrList] : tagOrList
      const error = checkTags(list)
      if (error !== undefined) return err(error)
      tags.invalidate(list, options?.soft === true)
      return DONE
    }
  }
}
