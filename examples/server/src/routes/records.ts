import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { invalidate, keys, tags, ttl } from '../cache-names.js'
import { deleteRecord, Fields, findRecord, Row, updateRecord } from '../models/record.js'
import { IdParams, type RouteOptions } from './parameters.js'

/** The routes of single records, which the pages of the replayed request trace read. */
export const recordRoutes: FastifyPluginAsyncTypebox<RouteOptions> = async function recordRoutes (app, { database }) {
  app.get('/api/records/:id', {
    schema: { params: IdParams, response: { 200: Row } }
  }, async function getRecord (request) {
    const { id } = request.params
    return request.cache.getOrSet(keys.record(id), () => findRecord(database, id), { ttl: ttl.day, tags: [tags.record(id)] })
  })

  app.patch('/api/records/:id', {
    schema: { params: IdParams, body: Type.Object({ fields: Fields }), response: { 200: Row } }
  }, async function patchRecord (request) {
    const row = await updateRecord(database, request.params.id, request.body.fields)
    await invalidate(request, [tags.record(row.id), tags.records(row.tableId)])
    return row
  })

  app.delete('/api/records/:id', {
    schema: { params: IdParams, response: { 204: Type.Null() } }
  }, async function removeRecord (request, reply) {
    const row = await deleteRecord(database, request.params.id)
    await invalidate(request, [tags.record(row.id), tags.records(row.tableId)])
    return reply.code(204).send(null)
  })
}
