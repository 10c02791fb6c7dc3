import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { invalidate, keys, tags, ttl } from '../cache-names.js'
import { requireUserId } from '../identity.js'
import { Approval, createApproval, findApproval, moveApproval } from '../models/approval.js'
import { ACTIONS } from '../models/approval-state.js'
import { Fields } from '../models/record.js'
import { IdParams, type RouteOptions } from './parameters.js'

const NewApproval = Type.Object({ recordId: IdParams.properties.id, changes: Fields })

/**
 * The routes of approvals. An approval is a change that a second user has to approve. States: draft → submitted → approved or rejected; a
 * draft or submitted change can be cancelled.
 */
export const approvalRoutes: FastifyPluginAsyncTypebox<RouteOptions> = async function approvalRoutes (app, { database }) {
  app.post('/approvals', {
    schema: { body: NewApproval, response: { 201: Approval } }
  }, async function postApproval (request, reply) {
    const { recordId, changes } = request.body
    const approval = await createApproval(database, recordId, changes, requireUserId(request))
    return reply.code(201).header('location', `/approvals/${approval.id}`).send(approval)
  })

  app.get('/approvals/:id', {
    schema: { params: IdParams, response: { 200: Approval } }
  }, async function getApproval (request) {
    const { id } = request.params
    return request.cache.getOrSet(keys.approval(id), () => findApproval(database, id), {
      ttl: ttl.hour,
      tags: [tags.approval(id)]
    })
  })

  for (const action of ACTIONS) {
    app.post(`/approvals/:id/${action}`, {
      schema: { params: IdParams, response: { 200: Approval } }
    }, async function postTransition (request) {
      const approval = await moveApproval(database, request.params.id, action, requireUserId(request))
      await invalidate(request, changedBy(approval))
      return approval
    })
  }
}

/** Returns the tags of all cached data that an action on an approval has changed. */
function changedBy ({ id, recordId, tableId, requestedBy, status }: Approval): string[] {
  const changed = [tags.approval(id)]
  if (status === 'approved') changed.push(tags.record(recordId), tags.records(tableId))
  if (status === 'approved' || status === 'rejected') changed.push(tags.notifications(requestedBy))
  return changed
}
