import type { FastifyInstance, FastifyRequest } from 'fastify'
import { UserRequired } from './errors.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; null if the request does not say. */
    user: { id: number } | null
  }
}

const ID = /^[1-9]\d{0,8}$/

/**
 * DEMO AUTHENTICATION: believes whatever stands in the header `x-user-id`. A real app verifies a session or a token here and
 * sets `request.user` likewise; everything else stays.
 */
export function addIdentity (app: FastifyInstance): void {
  app.decorateRequest('user', null)
  app.addHook('onRequest', async function identifyUser (request) {
    const id = request.headers['x-user-id']
    if (typeof id === 'string' && ID.test(id)) request.user = { id: Number(id) }
  })
}

/** The id of the user who asks; throws `APP_ERR_USER_REQUIRED`. */
export function requireUserId (request: FastifyRequest): number {
  if (request.user === null) throw new UserRequired()
  return request.user.id
}
