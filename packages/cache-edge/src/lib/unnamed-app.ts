import type { CacheRegistry } from '@x/cache-core'
import { AppUnnamed } from '../errors.js'

const kUnnamed = Symbol.for('@x/cache-edge.unnamed')

/**
 * Records that an app without option `app` stores responses in a registry; the returned function removes the record.
 * @throws `CACHE_ERR_APP_UNNAMED` if the registry has such an app already
 */
export function takeUnnamed (registry: CacheRegistry & { [kUnnamed]?: boolean }): () => void {
  if (registry[kUnnamed] === true) throw new AppUnnamed()
  registry[kUnnamed] = true
  return () => { registry[kUnnamed] = false }
}
