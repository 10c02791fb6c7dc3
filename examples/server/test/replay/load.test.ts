import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { sendRequests } from '../../src/replay/load.js'

function serve (t: { teardown (close: () => void): void }, listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  t.teardown(() => { server.close() })
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
  })
}

t.test('sendRequests: one at a time keeps the order, on one connection', async (t) => {
  const seen: string[] = []
  const ports = new Set<number | undefined>()
  const url = await serve(t, (request, response) => {
    seen.push(request.url!)
    ports.add(request.socket.remotePort)
    response.end('x')
  })
  const ids = Array.from({ length: 50 }, (_, n) => String(n))
  const report = await sendRequests(ids, { url, path: '/r/:id/x', concurrency: 1 })
  t.same(seen, ids.map((id) => `/r/${id}/x`))
  t.equal(ports.size, 1)
  t.match(report, { sent: 50, statuses: { 200: 50 }, firstFailure: undefined })
  const { p50, p99, max } = report.latencyMs
  t.ok(p50 > 0 && p50 <= p99 && p99 <= max)
})

t.test('sendRequests: never more under way than asked for, each id once', async (t) => {
  let under = 0
  let most = 0
  const seen: string[] = []
  const url = await serve(t, (request, response) => {
    most = Math.max(most, ++under)
    seen.push(request.url!)
    setImmediate(() => {
      under--
      response.end()
    })
  })
  const ids = Array.from({ length: 200 }, (_, n) => `/${n}`)
  await sendRequests(ids, { url, path: '/:id', concurrency: 4 })
  t.ok(most <= 4 && most > 1, `${most} at once`)
  t.same(seen.sort(), ids.map((id) => `/${encodeURIComponent(id)}`).sort(), 'escaped')
})

t.test('sendRequests: answers are counted by status, lost ones as failed with the first cause', async (t) => {
  const url = await serve(t, (request, response) => {
    if (request.url === '/lost') {
      request.socket.destroy()
      return
    }
    response.statusCode = Number(request.url!.slice(1))
    response.end()
  })
  const report = await sendRequests(['200', '404', 'lost', '500', '404'], { url, path: '/:id', concurrency: 1 })
  t.same(report.statuses, { 200: 1, 404: 2, 500: 1, failed: 1 })
  t.match(report.firstFailure, /socket hang up|ECONNRESET/)
})

t.test('sendRequests: users by turns, and each group by itself', async (t) => {
  const users: unknown[] = []
  const url = await serve(t, (request, response) => {
    users.push(request.headers['x-user-id'])
    response.end()
  })
  const ids = ['a', 'b', 'c', 'd', 'e']
  const { groups, sent } = await sendRequests(ids, { url, path: '/:id', concurrency: 1, users: 3, groupOf: (user) => user === 1 ? 'one' : 'more' })
  t.same(users, ['1', '2', '3', '1', '2'])
  t.match(groups, { one: { sent: 2, statuses: { 200: 2 } }, more: { sent: 3 } })
  t.equal(sent, 5)
  await sendRequests(['a'], { url, path: '/:id', concurrency: 1 })
  t.equal(users.at(-1), undefined)
})

t.test('sendRequests: nothing to send is no failure', async (t) => {
  t.match(await sendRequests([], { url: 'http://127.0.0.1:1', path: '/:id', concurrency: 3 }), { sent: 0, statuses: {} })
})

t.test('sendRequests: a rate spreads requests over time', async (t) => {
  const url = await serve(t, (_request, response) => { response.end() })
  const { seconds } = await sendRequests(['1', '2', '3', '4', '5'], { url, path: '/:id', concurrency: 5, rate: 100 })
  t.ok(seconds >= 0.035, `${seconds} s`)
})

t.test('sendRequests: a trace that breaks off fails the replay', async (t) => {
  const url = await serve(t, (_request, response) => { response.end() })
  async function * broken () {
    yield '1'
    throw new Error('cut off')
  }
  await t.rejects(sendRequests(broken(), { url, path: '/:id', concurrency: 2 }), { message: 'cut off' })
})
