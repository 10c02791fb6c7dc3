import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { keys, tags, ttl } from '../cache-names.js'
import { requireUserId } from '../identity.js'
import { listNotifications, Notification } from '../models/notification.js'
import { Account, findAccount, findProfile, Profile } from '../models/user.js'
import type { RouteOptions } from './parameters.js'

/** The paths whose responses depend on the user. Their responses are never shared between users, and no shared cache may store them. */
export const PERSONAL_PATHS = ['/api/user', '/api/profile', '/api/notifications']

/** The routes with data of the requesting user; each cache key contains the user's id. */
export const personalRoutes: FastifyPluginAsyncTypebox<RouteOptions> = async function personalRoutes (app, { database }) {
  app.get('/api/user', { schema: { response: { 200: Account } } }, async function getAccount (request) {
    const id = requireUserId(request)
    return request.cache.getOrSet(keys.account(id), () => findAccount(database, id), { ttl: ttl.hour, tags: [tags.user(id)] })
  })

  app.get('/api/profile', { schema: { response: { 200: Profile } } }, async function getProfile (request) {
    const id = requireUserId(request)
    return request.cache.getOrSet(keys.profile(id), () => findProfile(database, id), {
      ttl: ttl.hour,
      tags: [tags.user(id), tags.notifications(id)]
    })
  })

  app.get('/api/notifications', {
    schema: { response: { 200: Type.Array(Notification) } }
  }, async function getNotifications (request) {
    const id = requireUserId(request)
    return request.cache.getOrSet(keys.notifications(id), () => listNotifications(database, id), {
      ttl: ttl.hour,
      tags: [tags.notifications(id)]
    })
  })
}
