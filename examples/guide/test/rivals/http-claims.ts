import { cacheCore } from '@x/cache-core'
import { cacheEdge } from '@x/cache-edge'
import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify'
import { fastifyCaching } from './subjects.js'

/**
 * An app that caches the response of `GET /page` for a minute. `runs`: the number of its handler runs; `handle`: the work of its handler.
 */
export interface HttpSubject { readonly app: FastifyInstance; runs: number; handle: (reply: FastifyReply) => unknown }

function withPage (app: FastifyInstance, tag: (reply: FastifyReply) => void): HttpSubject {
  const subject: HttpSubject = { app, runs: 0, handle: () => 'page' }
  app.get('/page', async (_request, reply) => {
    subject.runs++
    tag(reply)
    return subject.handle(reply)
  })
  return subject
}

/** The plugins for responses, by the name in the table of the README. */
export const HTTP_SUBJECTS: Readonly<Record<string, () => Promise<HttpSubject>>> = {
  async 'this suite' () {
    const app = Fastify()
    await app.register(cacheCore, { implementation: 'memory' })
    await app.register(cacheEdge, { rules: [{ prefix: '/page', maxAge: 60, store: true }] })
    return withPage(app, () => {})
  },
  async '@fastify/caching' () {
    const app = Fastify()
    await app.register(fastifyCaching, { privacy: 'public', expiresIn: 60 })
    // The app must set the entity tag itself: the plugin only stores tags that the app passed to `reply.etag()`.
    return withPage(app, (reply) => { (reply as FastifyReply & { etag: (tag: string) => void }).etag('"1"') })
  }
}

/** The claims about responses by their sentence in the table of the README. */
export const HTTP_CLAIMS: Readonly<Record<string, (subject: HttpSubject) => Promise<boolean>>> = {
  async 'a 304 needs no handler run' (subject) {
    const { headers } = await subject.app.inject('/page')
    const { statusCode } = await subject.app.inject({ url: '/page', headers: { 'if-none-match': String(headers.etag) } })
    return statusCode === 304 && subject.runs === 1
  },
  async 'a whole response needs no handler run' (subject) {
    await subject.app.inject('/page')
    const { body } = await subject.app.inject('/page')
    return body === 'page' && subject.runs === 1
  },
  async 'a response to a request with credentials is not public' ({ app }) {
    const { headers } = await app.inject({ url: '/page', headers: { authorization: 'Bearer of-one-user' } })
    return !/\bpublic\b/.test(String(headers['cache-control']))
  },
  async 'a response with a cookie for one client is not public' (subject) {
    subject.handle = (reply) => reply.header('set-cookie', 'session=of-one-user').send('page')
    const { headers } = await subject.app.inject('/page')
    return !/\bpublic\b/.test(String(headers['cache-control']))
  },
  async 'an error is not cacheable' (subject) {
    subject.handle = (reply) => reply.code(500).send('failed')
    const { headers } = await subject.app.inject('/page')
    return headers['cache-control'] === 'no-store'
  }
}
