import { cacheCore, type FastifyCache } from '@x/cache-core'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'

/** Returns the cache of one tenant: two tenants share no keys and tags, and `clear` removes the entries of one tenant only. */
function cacheOf (request: FastifyRequest, tenant: string): FastifyCache {
  return request.cache.namespace(`tenant-${tenant}`)
}

export type FindPrice = (tenant: string, item: string) => Promise<number>

export async function buildApp (tenantOf: (request: FastifyRequest) => string, findPrice: FindPrice): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(cacheCore, {
    implementation: 'memory',
    // All tenants share one metric label: `tenant-7:price:1` is counted as `price`.
    keyPattern: (key) => key.replace(/^tenant-[^:]*:/, '').split(':', 1)[0]!
  })

  app.get<{ Params: { item: string } }>('/prices/:item', async (request) => {
    const { item } = request.params
    const tenant = tenantOf(request)
    return { price: await cacheOf(request, tenant).getOrSet(`price:${item}`, () => findPrice(tenant, item), { ttl: 60, tags: ['prices'] }) }
  })

  app.delete('/prices', async (request) => {
    await cacheOf(request, tenantOf(request)).tags.invalidate('prices') // invalidates the prices of this tenant alone
    return { ok: true }
  })

  return app
}
