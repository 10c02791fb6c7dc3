import t from 'tap'
import { as, buildTestApp, openTestDatabase } from './fixtures/app.js'

const database = await openTestDatabase()
const app = await buildTestApp(t, database)
// Users of the seed: user 1 approves in all tables, user 2 approves products (table 1), user 5 only reads.
const [admin, approver, viewer] = [as(app, 1), as(app, 2), as(app, 5)]

async function draft (recordId: number, changes: object = { stock: 1 }): Promise<string> {
  const response = await viewer('POST', '/approvals', { recordId, changes })
  return `/approvals/${response.json().id}`
}

t.test('POST /approvals: a draft, for anybody known', async (t) => {
  const response = await viewer('POST', '/approvals', { recordId: 3, changes: { stock: 9 } })
  t.equal(response.statusCode, 201)
  t.match(response.json(), { recordId: 3, tableId: 1, requestedBy: 5, decidedBy: null, status: 'draft', changes: { stock: 9 } })
  t.equal(response.headers.location, `/approvals/${response.json().id}`)
})

t.test('POST /approvals: 401 without a user, 404 for an unknown record or user, 400 without changes', async (t) => {
  const payload = { recordId: 3, changes: { stock: 9 } }
  t.equal((await app.inject({ method: 'POST', url: '/approvals', payload })).json().code, 'APP_ERR_USER_REQUIRED')
  t.equal((await viewer('POST', '/approvals', { ...payload, recordId: 99_999_999 })).json().code, 'APP_ERR_NOT_FOUND')
  t.equal((await as(app, 99)('POST', '/approvals', payload)).json().code, 'APP_ERR_NOT_FOUND')
  t.equal((await viewer('POST', '/approvals', { recordId: 3 })).json().code, 'FST_ERR_VALIDATION')
})

t.test('submit, approve: carries out the change, notifies who asked, and every cached answer is new', async (t) => {
  const url = await draft(4, { stock: 404 })
  await app.inject({ url: '/api/records/4' })
  await app.inject({ url: '/api/tables/1/records?limit=5' })
  await viewer('GET', '/api/notifications')
  await app.inject({ url })

  t.match((await viewer('POST', `${url}/submit`)).json(), { status: 'submitted', decidedBy: null })
  t.match((await app.inject({ url })).json(), { status: 'submitted' })
  t.match((await approver('POST', `${url}/approve`)).json(), { status: 'approved', decidedBy: 2 })

  t.match((await app.inject({ url })).json(), { status: 'approved' })
  t.equal((await app.inject({ url: '/api/records/4' })).json().fields.stock, 404)
  t.equal((await app.inject({ url: '/api/tables/1/records?limit=5' })).json()[4].fields.stock, 404)
  t.match((await viewer('GET', '/api/notifications')).json()[0].message, /record 4 was approved/)
  t.equal((await viewer('GET', '/api/profile')).json().notifications, 2)
})

t.test('reject: leaves the record alone and notifies who asked', async (t) => {
  const url = await draft(5, { stock: 505 })
  await viewer('POST', `${url}/submit`)
  t.match((await admin('POST', `${url}/reject`)).json(), { status: 'rejected', decidedBy: 1 })
  t.not((await app.inject({ url: '/api/records/5' })).json().fields.stock, 505)
  t.match((await viewer('GET', '/api/notifications')).json()[0].message, /record 5 was rejected/)
})

t.test('cancel: from draft and from submitted', async (t) => {
  const first = await draft(6)
  t.match((await viewer('POST', `${first}/cancel`)).json(), { status: 'cancelled', decidedBy: null })
  const second = await draft(6)
  await viewer('POST', `${second}/submit`)
  t.match((await viewer('POST', `${second}/cancel`)).json(), { status: 'cancelled' })
})

t.test('each step from a state that does not allow it reaches the error handler as 409', async (t) => {
  const url = await draft(7)
  const refused = async (who: typeof viewer, action: string) => {
    const response = await who('POST', `${url}/${action}`)
    t.equal(response.statusCode, 409, action)
    t.match(response.json(), { statusCode: 409, code: 'APP_ERR_TRANSITION_ILLEGAL', error: 'Conflict', message: new RegExp(action) })
  }
  await refused(admin, 'approve')
  await refused(admin, 'reject')
  await viewer('POST', `${url}/submit`)
  await refused(viewer, 'submit')
  await admin('POST', `${url}/approve`)
  for (const action of ['approve', 'reject']) await refused(admin, action)
  for (const action of ['submit', 'cancel']) await refused(viewer, action)
})

t.test('each step by somebody who may not take it reaches the error handler as 403', async (t) => {
  const products = await draft(8)
  for (const action of ['submit', 'cancel']) t.match((await admin('POST', `${products}/${action}`)).json(), { statusCode: 403, code: 'APP_ERR_FORBIDDEN' })
  await viewer('POST', `${products}/submit`)
  for (const action of ['approve', 'reject']) t.match((await viewer('POST', `${products}/${action}`)).json(), { statusCode: 403, code: 'APP_ERR_FORBIDDEN' })

  const suppliers = await draft(25_001)
  await viewer('POST', `${suppliers}/submit`)
  t.match((await approver('POST', `${suppliers}/approve`)).json(), { statusCode: 403 }, 'approver of another table')
})

t.test('each step without a user is 401, of an unknown approval 404, of a bad id 400', async (t) => {
  for (const action of ['submit', 'approve', 'reject', 'cancel']) {
    t.match((await app.inject({ method: 'POST', url: `/approvals/1/${action}` })).json(), { statusCode: 401, code: 'APP_ERR_USER_REQUIRED' })
    t.match((await admin('POST', `/approvals/999999/${action}`)).json(), { statusCode: 404, code: 'APP_ERR_NOT_FOUND' })
    t.match((await admin('POST', `/approvals/x/${action}`)).json(), { statusCode: 400, code: 'FST_ERR_VALIDATION' })
  }
})

t.test('of two who decide at once one succeeds', async (t) => {
  const url = await draft(10)
  await viewer('POST', `${url}/submit`)
  const answers = await Promise.all([admin('POST', `${url}/approve`), approver('POST', `${url}/reject`)])
  t.same(answers.map(({ statusCode }) => statusCode).sort(), [200, 409])
})

t.test('a failure in the middle of a step undoes all of it', async (t) => {
  const url = await draft(11, { stock: 1111 })
  await viewer('POST', `${url}/submit`)
  await database.exec('ALTER TABLE notifications RENAME TO moved_away')
  const response = await admin('POST', `${url}/approve`)
  await database.exec('ALTER TABLE moved_away RENAME TO notifications')
  t.match(response.json(), { statusCode: 500, code: 'APP_ERR_INTERNAL', message: 'Internal Server Error' })
  t.match((await app.inject({ url })).json(), { status: 'submitted' })
  t.not((await app.inject({ url: '/api/records/11' })).json().fields.stock, 1111)
})
