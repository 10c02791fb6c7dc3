import type { FastifyReply } from 'fastify'
import { once } from 'node:events'
import { connect, type AddressInfo, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { buildApp } from '@x/test-kit/build-app'
import { settle } from '@x/test-kit/deferred'
import { FakeTime } from '@x/test-kit/fake-time'

const USERS = 20

/**
 * Makes an app at 50 % whose requests hang. `leaveAfter`: all users send requests and disconnect after some seconds; `pass` lets seconds
 * pass.
 */
async function hangingApp (t: Test) {
  const time = new FakeTime(t)
  const app = await buildApp(t, { implementation: 'memory', clock: time.clock, rollout: { canary: { stages: [50, 100], rampSeconds: 0 }, key: (request) => String(request.headers['x-user']) } })
  const hanging: FastifyReply[] = []
  app.get('/hang', async (request, reply) => {
    await request.cache.get('user:1')
    hanging.push(reply)
    return new Promise(() => {})
  })
  app.get('/hijack', async (request, reply) => {
    await request.cache.get('user:1')
    reply.hijack()
    hanging.push(reply)
  })
  const pass = async (seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second++) {
      time.advance(1000)
      for (let turn = 0; turn < 4; turn++) await settle()
    }
  }
  await app.listen({ port: 0, host: '127.0.0.1' })
  await pass(20)
  await app.inject({ method: 'POST', url: '/internal/cache/rollout', payload: { action: 'to', percent: 50 } })
  await pass(130)
  const { port } = app.server.address() as AddressInfo
  const ask = async (path: string): Promise<Socket[]> => {
    const sockets = Array.from({ length: USERS }, (_, user) => {
      const socket = connect(port, '127.0.0.1')
      socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nx-user: ${user}\r\n\r\n`)
      return socket
    })
    while (hanging.length < USERS) await settle()
    return sockets
  }
  const leave = async (sockets: Socket[]): Promise<void> => {
    const closed = hanging.map(({ raw }) => once(raw, 'close'))
    for (const socket of sockets) socket.destroy()
    await Promise.all(closed)
  }
  const arms = async () => {
    await pass(130)
    return (await app.inject('/internal/cache')).json().rollout.arms as Record<'cached' | 'control', { requests: number; failures: number; p99: number }>
  }
  const leaveAfter = async (seconds: number, path = '/hang'): Promise<void> => {
    const sockets = await ask(path)
    await pass(seconds)
    await leave(sockets)
  }
  return { hanging, pass, leaveAfter, arms }
}

t.test('a request that hangs until its connection ends is counted in its arm, as failed and with the time that it waited', async (t) => {
  const { leaveAfter, arms } = await hangingApp(t)
  await leaveAfter(8)
  const { cached, control } = await arms()
  t.equal(cached.requests + control.requests, USERS)
  t.ok(cached.requests > 4 && control.requests > 4, `${cached.requests} and ${control.requests}`)
  for (const { requests, failures, p99 } of [cached, control]) {
    t.equal(failures, requests)
    t.ok(p99 > 7000 && p99 < 8500, `${p99} ms`)
  }
})

t.test('a client that leaves after two seconds is counted with that time, and is no failure', async (t) => {
  const { leaveAfter, arms } = await hangingApp(t)
  await leaveAfter(2)
  const { cached, control } = await arms()
  t.equal(cached.requests + control.requests, USERS)
  t.equal(cached.failures + control.failures, 0)
  t.ok(cached.p99 > 1000 && cached.p99 < 2200, `${cached.p99} ms`)
})

t.test('a client that leaves at once says nothing about the app, and is not counted', async (t) => {
  const { leaveAfter, arms } = await hangingApp(t)
  await leaveAfter(0)
  const { cached, control } = await arms()
  t.equal(cached.requests + control.requests, 0)
})

t.test('a response that hangs and comes after its client has left is counted once', async (t) => {
  const { hanging, pass, leaveAfter, arms } = await hangingApp(t)
  await leaveAfter(8)
  await pass(2)
  for (const reply of hanging) reply.send('late')
  const { cached, control } = await arms()
  t.equal(cached.requests + control.requests, USERS)
  t.equal(cached.failures + control.failures, USERS)
})

t.test('a response past Fastify is not counted, however long it lasts', async (t) => {
  const { leaveAfter, arms } = await hangingApp(t)
  await leaveAfter(8, '/hijack')
  const { cached, control } = await arms()
  t.equal(cached.requests + control.requests, 0)
})
