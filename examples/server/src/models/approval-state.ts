import { TransitionIllegal } from '../errors.js'

export const STATUSES = ['draft', 'submitted', 'approved', 'rejected', 'cancelled'] as const
export const ACTIONS = ['submit', 'approve', 'reject', 'cancel'] as const
/** The states that an approval can have. */
export type Status = typeof STATUSES[number]
/** The actions on an approval. */
export type Action = typeof ACTIONS[number]

const TRANSITIONS: Record<Status, Partial<Record<Action, Status>>> = {
  draft: { submit: 'submitted', cancel: 'cancelled' },
  submitted: { approve: 'approved', reject: 'rejected', cancel: 'cancelled' },
  approved: {},
  rejected: {},
  cancelled: {}
}

/** Returns the state of an approval after an action; throws `APP_ERR_TRANSITION_ILLEGAL` if the state does not allow the action. */
export function nextStatus (status: Status, action: Action): Status {
  const next = TRANSITIONS[status][action]
  if (next === undefined) throw new TransitionIllegal(action, status)
  return next
}

/**
 * Whether only an approver may carry out an action, since it decides on an approval; all other actions are for the user who requested the
 * change.
 */
export function isDecision (action: Action): boolean {
  return action === 'approve' || action === 'reject'
}
