import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { CacheEdgeOptions } from '@x/cache-edge'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { keys, tags, ttl } from '../cache-names.js'
import { listRecords, Row } from '../models/record.js'
import { findPublicTable, listPublicTables, summarizeTable, Table, TableSummary } from '../models/table.js'
import { IdParams, PageQuery, type RouteOptions } from './parameters.js'

/** The cache policies of the public routes. A list may be stored for a minute; a summary may also be served stale while it is refreshed. */
export const EDGE_RULES: NonNullable<CacheEdgeOptions['rules']> = [
  { prefix: '/api/public', maxAge: ttl.short, store: true },
  { prefix: '/api/data', maxAge: ttl.short, staleWhileRevalidate: ttl.short, staleIfError: ttl.hour, store: true }
]

/** The routes whose responses are the same for all users, so that shared caches may store them. */
export const publicRoutes: FastifyPluginAsyncTypebox<RouteOptions> = async function publicRoutes (app, { database }) {
  app.get('/api/public/tables', {
    config: { cache: { tags: [tags.tables] } },
    schema: { response: { 200: Type.Array(Table) } }
  }, async function getPublicTables (request) {
    return request.cache.getOrSet(keys.publicTables, () => listPublicTables(database), { ttl: ttl.hour, tags: [tags.tables] })
  })

  app.get('/api/public/tables/:id/records', {
    config: { cache: { tags: (request) => [tags.tables, tags.records(idOf(request))] } },
    schema: { params: IdParams, querystring: PageQuery, response: { 200: Type.Array(Row) } }
  }, async function getPublicRecords (request) {
    const { id } = request.params
    const { limit, offset } = request.query
    return request.cache.getOrSet(keys.publicRecords(id, limit, offset), async () => {
      await findPublicTable(database, id)
      return listRecords(database, id, limit, offset)
    }, { ttl: ttl.hour, tags: [tags.tables, tags.records(id)] })
  })

  // A count may be slightly outdated, but no request should wait for it, so it is served stale while it is refreshed, or if counting fails.
  app.get('/api/data/tables/:id/summary', {
    config: { cache: { tags: (request) => [tags.records(idOf(request))] } },
    schema: { params: IdParams, response: { 200: TableSummary } }
  }, async function getSummary (request) {
    const { id } = request.params
    return request.cache.getOrSet(keys.summary(id), () => summarizeTable(database, id), {
      ttl: ttl.short,
      staleWhileRevalidate: ttl.short,
      staleIfError: ttl.hour,
      tags: [tags.records(id)]
    })
  })
}

function idOf (request: FastifyRequest): number {
  return (request.params as { id: number }).id
}
