import t from 'tap'
import { ACTIONS, nextStatus, STATUSES } from '../src/models/approval-state.js'

const LEGAL: Record<string, string> = {
  'draft submit': 'submitted',
  'draft cancel': 'cancelled',
  'submitted approve': 'approved',
  'submitted reject': 'rejected',
  'submitted cancel': 'cancelled'
}

for (const status of STATUSES) {
  for (const action of ACTIONS) {
    const next = LEGAL[`${status} ${action}`]
    t.test(`nextStatus: ${action} of ${status} ${next === undefined ? 'is refused' : `leads to ${next}`}`, async (t) => {
      if (next === undefined) t.throws(() => nextStatus(status, action), { code: 'APP_ERR_TRANSITION_ILLEGAL', statusCode: 409 })
      else t.equal(nextStatus(status, action), next)
    })
  }
}
