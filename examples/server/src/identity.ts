import type { FastifyInstance, FastifyRequest } from 'fastify'
import { UserRequired } from './errors.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** The user of a request; `null`: the request names none. */
    user: { id: number } | null
  }
}

const ID = /^[1-9]\d{0,8}$/

/**
 * DEMO AUTHENTICATION: trusts the header `x-user-id`. A real app verifies a session or a token here and
 * sets `request.user` likewise; all other files need no change.
 */
export function addIdentity (app: FastifyInstance): void {
  app.decorateRequest('user', null)
  app.addHook('onRequest', async function identifyUser (request) {
    const id = request.headers['x-user-id']
    if (typeof id === 'string' && ID.test(id)) request.user = { id: Number(id) }
  })
}

/** Returns the id of the user who sent a request; throws `APP_ERR_USER_REQUIRED` if the request names no user. */
export function requireUserId (request: FastifyRequest): number {
  if (request.user === null) throw new UserRequired()
  return request.user.id
}
