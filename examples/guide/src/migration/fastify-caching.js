import fastifyCaching from '@fastify/caching'
import Fastify from 'fastify'

export async function buildApp (findUser) {
  const app = Fastify()
  await app.register(fastifyCaching, { privacy: fastifyCaching.privacy.PUBLIC, expiresIn: 60 })

  app.get('/users/:id', (request, reply) => {
    const key = `user:${request.params.id}`
    app.cache.get(key, (error, found) => {
      if (error === null && found !== null) {
        reply.send(found.item)
        return
      }
      findUser(request.params.id).then((user) => {
        app.cache.set(key, user, 60_000, () => { reply.send(user) }) // the ttl in milliseconds
      }, (error) => { reply.send(error) })
    })
  })

  return app
}
