import type { CacheRegistry } from '@x/cache-core'
import { AppUnnamed } from '../errors.js'

const kUnnamed = Symbol.for('@x/cache-edge.unnamed')

/** Notes the one app without a name that may store responses in a registry; the returned function removes the note. */
export function takeUnnamed (registry: CacheRegistry & { [kUnnamed]?: boolean }): () => void {
  if (registry[kUnnamed] === true) throw new AppUnnamed()
  registry[kUnnamed] = true
  return () => { registry[kUnnamed] = false }
}
