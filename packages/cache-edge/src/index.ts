export { cacheEdge, cacheEdge as default, type CacheEdge } from './plugin.js'
export type {} from './events.js'
export type { CacheEdgeOptions, EdgePolicy } from './options.js'
export { EdgeRegistered, EtagClash, PolicyInvalid } from './errors.js'
