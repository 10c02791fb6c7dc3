import { Type, type Static } from 'typebox'
import type { Database, Queryable } from '../database/open.js'
import { Forbidden, NotFound } from '../errors.js'
import { isDecision, nextStatus, STATUSES, type Action, type Status } from './approval-state.js'
import { notify } from './notification.js'
import { findRecord, updateRecord, type Cell, type Fields } from './record.js'
import { findUser, isApprover } from './user.js'

/** A change of a record that one user requests and another user decides on. */
export const Approval = Type.Object({
  id: Type.Integer(),
  recordId: Type.Integer(),
  tableId: Type.Integer(),
  requestedBy: Type.Integer(),
  decidedBy: Type.Union([Type.Integer(), Type.Null()]),
  status: Type.Unsafe<Status>({ type: 'string', enum: STATUSES }),
  changes: Type.Unsafe<Record<string, Cell>>({ type: 'object', additionalProperties: true }),
  updatedAt: Type.String()
})
export type Approval = Static<typeof Approval>

const SELECT = `
  SELECT a.id, a.record_id AS "recordId", r.table_id AS "tableId", a.requested_by AS "requestedBy",
    a.decided_by AS "decidedBy", a.status, a.changes, a.updated_at AS "updatedAt"
  FROM approvals a JOIN records r ON r.id = a.record_id WHERE a.id = $1`

/** Returns the approval with an id. Throws `APP_ERR_NOT_FOUND`. */
export async function findApproval (database: Queryable, id: number): Promise<Approval> {
  return found(id, await database.query<Approval>(SELECT, [id]))
}

/** Creates an approval in the state `draft`. Throws `APP_ERR_NOT_FOUND` if the record or the user does not exist. */
export function createApproval (database: Database, recordId: number, changes: Fields, userId: number): Promise<Approval> {
  return database.transaction(async (transaction) => {
    await findUser(transaction, userId)
    await findRecord(transaction, recordId)
    const { rows } = await transaction.query<{ id: number }>(
      'INSERT INTO approvals (record_id, requested_by, changes) VALUES ($1, $2, $3) RETURNING id', [recordId, userId, changes])
    return findApproval(transaction, rows[0]!.id)
  })
}

/**
 * Carries out an action on an approval in one transaction; the action `approve` also changes the record. Throws `APP_ERR_NOT_FOUND`,
 * `APP_ERR_FORBIDDEN` and `APP_ERR_TRANSITION_ILLEGAL`.
 */
export function moveApproval (database: Database, id: number, action: Action, userId: number): Promise<Approval> {
  return database.transaction(async (transaction) => {
    // The row is locked. If two users decide at the same time, the second one sees the decision of the first.
    const approval = found(id, await transaction.query<Approval>(`${SELECT} FOR UPDATE OF a`, [id]))
    await checkActor(transaction, approval, action, userId)
    const status = nextStatus(approval.status, action)
    await transaction.query('UPDATE approvals SET status = $2, decided_by = $3, updated_at = now() WHERE id = $1',
      [id, status, isDecision(action) ? userId : null])
    if (status === 'approved') await updateRecord(transaction, approval.recordId, approval.changes)
    if (isDecision(action)) await notify(transaction, approval.requestedBy, `Your change of record ${approval.recordId} was ${status}`)
    return findApproval(transaction, id)
  })
}

async function checkActor (database: Queryable, approval: Approval, action: Action, userId: number): Promise<void> {
  const may = isDecision(action)
    ? await isApprover(database, userId, approval.tableId)
    : userId === approval.requestedBy
  if (!may) throw new Forbidden(userId, `${action} approval ${approval.id}`)
}

function found (id: number, { rows: [approval] }: { rows: Approval[] }): Approval {
  if (approval === undefined) throw new NotFound('approval', id)
  return approval
}
