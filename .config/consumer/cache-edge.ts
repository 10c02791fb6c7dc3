import cacheEdge, { cacheEdge as named, PolicyInvalid, type CacheEdgeOptions, type EdgePolicy } from '@x/cache-edge'
import Fastify from 'fastify'

const policy: EdgePolicy = { maxAge: 60, staleWhileRevalidate: 30, vary: ['Accept-Language'], tags: (request) => [`item:${request.id}`], store: true }
const options: CacheEdgeOptions = { rules: [{ prefix: '/api/public', maxAge: 60 }], personal: ['/api/user'], etag: { weak: true } }
const app = Fastify()
await app.register(cacheEdge, options)
app.get('/items/:id', { config: { cache: policy } }, async () => ({ id: 1 }))
app.get('/plain', { config: { cache: false } }, async () => 'plain')
app.log.info(named === cacheEdge ? PolicyInvalid.name : '')
