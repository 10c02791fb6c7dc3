import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { invalidate, keys, tags, ttl } from '../cache-names.js'
import { createRecord, Fields, listRecords, Row } from '../models/record.js'
import { findTable, listTables, Table } from '../models/table.js'
import { IdParams, PageQuery, type RouteOptions } from './parameters.js'

/** The routes of tables and of the records in them. */
export const tableRoutes: FastifyPluginAsyncTypebox<RouteOptions> = async function tableRoutes (app, { database }) {
  app.get('/api/tables', {
    schema: { response: { 200: Type.Array(Table) } }
  }, async function getTables (request) {
    return request.cache.getOrSet(keys.tables, () => listTables(database), { ttl: ttl.hour, tags: [tags.tables] })
  })

  app.get('/api/tables/:id', {
    schema: { params: IdParams, response: { 200: Table } }
  }, async function getTable (request) {
    const { id } = request.params
    return request.cache.getOrSet(keys.table(id), () => findTable(database, id), { ttl: ttl.hour, tags: [tags.tables] })
  })

  app.get('/api/tables/:id/records', {
    schema: { params: IdParams, querystring: PageQuery, response: { 200: Type.Array(Row) } }
  }, async function getRecords (request) {
    const { id } = request.params
    const { limit, offset } = request.query
    return request.cache.getOrSet(keys.records(id, limit, offset), () => listRecords(database, id, limit, offset), {
      ttl: ttl.hour,
      tags: [tags.records(id)]
    })
  })

  app.post('/api/tables/:id/records', {
    schema: { params: IdParams, body: Type.Object({ fields: Fields }), response: { 201: Row } }
  }, async function postRecord (request, reply) {
    const row = await createRecord(database, request.params.id, request.body.fields)
    await invalidate(request, [tags.records(row.tableId)])
    return reply.code(201).header('location', `/api/records/${row.id}`).send(row)
  })
}
