// Compiled under every module resolution; as types.cts, too.
import cacheCore, { cacheCore as named } from '@x/cache-core'
import * as core from '@x/cache-core'
import * as implementing from '@x/cache-core/implementing'
import * as suite from '@x/cache-core/suite'
import { testCache } from '@x/cache-core/testing'
import * as edge from '@x/cache-edge'
import * as metrics from '@x/cache-metrics'
import * as redis from '@x/cache-redis'
import Fastify from 'fastify'

type IsAny<T> = 0 extends 1 & T ? true : false
/** The names whose type, or the type of whose instances, is `any`: their declarations were not found. */
type Untyped<M> = { [K in keyof M]-?: IsAny<M[K]> extends true ? K : M[K] extends abstract new (...args: never) => infer I ? IsAny<I> extends true ? K : never : never }[keyof M]
export const untyped: never[] = [] as Untyped<typeof core & typeof implementing & typeof suite & { testCache: typeof testCache }>[]
export const untypedInEdge: never[] = [] as Untyped<typeof edge>[]
export const untypedInMetrics: never[] = [] as Untyped<typeof metrics>[]
export const untypedInRedis: never[] = [] as Untyped<typeof redis>[]
export const options: false[] = [
  false as IsAny<core.CacheCoreOptions['rollout']>, false as IsAny<edge.CacheEdgeOptions['rules']>,
  false as IsAny<metrics.CacheMetricsOptions['endpoint']>, false as IsAny<redis.CacheRedisOptions['breaker']>
]

const app = Fastify()
void app.register(cacheCore).register(named)
export const user: Promise<string> = app.cache.getOrSet<string>('user:1', async () => 'x', { ttl: 60 })
// A loader may return undefined, which is not stored: the caller gets it, and a ttl is never asked of it.
export const none: Promise<string | undefined> = app.cache.getOrSet('user:2', async (): Promise<string | undefined> => undefined, { ttl: (value: string) => value.length })
