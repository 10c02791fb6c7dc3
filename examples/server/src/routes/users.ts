import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { keys, tags, ttl } from '../cache-names.js'
import { findUser, listPermissions, Permission, User } from '../models/user.js'
import { IdParams, type RouteOptions } from './parameters.js'

/** The routes with the public part of users. */
export const userRoutes: FastifyPluginAsyncTypebox<RouteOptions> = async function userRoutes (app, { database }) {
  app.get('/api/users/:id', {
    schema: { params: IdParams, response: { 200: User } }
  }, async function getUser (request) {
    const { id } = request.params
    return request.cache.getOrSet(keys.user(id), () => findUser(database, id), { ttl: ttl.hour, tags: [tags.user(id)] })
  })

  app.get('/api/users/:id/permissions', {
    schema: { params: IdParams, response: { 200: Type.Array(Permission) } }
  }, async function getPermissions (request) {
    const { id } = request.params
    return request.cache.getOrSet(keys.permissions(id), () => listPermissions(database, id), { ttl: ttl.hour, tags: [tags.user(id)] })
  })
}
