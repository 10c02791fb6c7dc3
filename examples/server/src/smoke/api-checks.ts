import assert from 'node:assert/strict'
import type { Client } from './client.js'

/** Checks by their names; a check that throws has failed. */
export type Checks = Record<string, (client: Client) => Promise<void>>

/** The checks of every route of the app, in order: later checks read data that earlier checks wrote. */
export const apiChecks: Checks = {
  async 'GET /health' (client) {
    assert.deepEqual(await client.get('/health'), { status: 'ok', database: 'ok', cache: 'ok' })
  },
  async 'GET /api/tables' (client) {
    assert.ok((await client.get('/api/tables')).length >= 4)
  },
  async 'GET /api/tables/:id' (client) {
    assert.equal((await client.get('/api/tables/1')).name, 'Products')
  },
  async 'GET /api/tables/:id/records' (client) {
    assert.deepEqual((await client.get('/api/tables/1/records?limit=2&offset=5')).map(({ id }: { id: number }) => id), [5, 6])
  },
  async 'GET /api/records/:id' (client) {
    assert.equal((await client.get('/api/records/0')).fields.name, 'Product 0')
  },
  async 'PATCH /api/records/:id is seen by the next read' (client) {
    const { version } = await client.get('/api/records/7')
    await client.json('PATCH', '/api/records/7', { body: { fields: { stock: 41 } } })
    const after = await client.get('/api/records/7')
    assert.deepEqual([after.fields.stock, after.version], [41, version + 1])
  },
  async 'POST /api/tables/:id/records, DELETE /api/records/:id' (client) {
    const { id } = await client.json('POST', '/api/tables/2/records', { status: 201, body: { fields: { name: 'New' } } })
    assert.equal((await client.get(`/api/records/${id}`)).fields.name, 'New')
    await client.json('DELETE', `/api/records/${id}`, { status: 204 })
    assert.equal((await client.get(`/api/records/${id}`, { status: 404 })).code, 'APP_ERR_NOT_FOUND')
  },
  async 'GET /api/users/:id' (client) {
    assert.deepEqual(await client.get('/api/users/2'), { id: 2, name: 'Grace', role: 'editor' })
  },
  async 'GET /api/users/:id/permissions' (client) {
    assert.deepEqual((await client.get('/api/users/2/permissions'))[0], { tableId: 1, level: 'approve' })
  },
  async 'GET /api/user' (client) {
    assert.equal((await client.get('/api/user', { user: 1 })).email, 'ada@example.com')
    assert.equal((await client.get('/api/user', { user: 2 })).email, 'grace@example.com')
    assert.equal((await client.get('/api/user', { status: 401 })).code, 'APP_ERR_USER_REQUIRED')
  },
  async 'GET /api/profile' (client) {
    assert.equal((await client.get('/api/profile', { user: 3 })).name, 'Edsger')
  },
  async 'GET /api/notifications' (client) {
    assert.equal((await client.get('/api/notifications', { user: 3 })).at(-1).message, 'Welcome, Edsger')
  },
  async 'GET /api/public/tables' (client) {
    assert.ok((await client.get('/api/public/tables')).every(({ isPublic }: { isPublic: boolean }) => isPublic))
  },
  async 'GET /api/public/tables/:id/records' (client) {
    assert.equal((await client.get('/api/public/tables/1/records?limit=3')).length, 3)
    await client.get('/api/public/tables/3/records', { status: 404 })
  },
  async 'GET /api/data/tables/:id/summary' (client) {
    assert.ok((await client.get('/api/data/tables/1/summary')).recordCount > 0)
  },
  async 'POST /approvals, GET /approvals/:id, submit, approve' (client) {
    const { id } = await client.json('POST', '/approvals', { status: 201, user: 5, body: { recordId: 9, changes: { price: 1 } } })
    assert.equal((await client.get(`/approvals/${id}`)).status, 'draft')
    await client.json('POST', `/approvals/${id}/submit`, { user: 5 })
    assert.equal((await client.json('POST', `/approvals/${id}/approve`, { user: 5, status: 403 })).code, 'APP_ERR_FORBIDDEN')
    await client.json('POST', `/approvals/${id}/approve`, { user: 2 })
    assert.equal((await client.get(`/approvals/${id}`)).status, 'approved')
    assert.equal((await client.get('/api/records/9')).fields.price, 1)
  },
  async 'POST /approvals/:id/reject, cancel' (client) {
    const { id } = await client.json('POST', '/approvals', { status: 201, user: 5, body: { recordId: 9, changes: { price: 2 } } })
    assert.equal((await client.json('POST', `/approvals/${id}/reject`, { user: 1, status: 409 })).code, 'APP_ERR_TRANSITION_ILLEGAL')
    await client.json('POST', `/approvals/${id}/cancel`, { user: 5 })
    const other = await client.json('POST', '/approvals', { status: 201, user: 5, body: { recordId: 9, changes: { price: 3 } } })
    await client.json('POST', `/approvals/${other.id}/submit`, { user: 5 })
    await client.json('POST', `/approvals/${other.id}/reject`, { user: 1 })
    assert.equal((await client.json('POST', '/approvals/999999/submit', { user: 1, status: 404 })).code, 'APP_ERR_NOT_FOUND')
  },
  async 'an unknown route is 404 in JSON' (client) {
    assert.equal((await client.get('/nowhere', { status: 404 })).code, 'APP_ERR_ROUTE_NOT_FOUND')
  }
}
