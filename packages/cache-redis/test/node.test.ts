import { EventEmitter } from 'node:events'
import type { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { settle, stateOf } from '@x/test-kit/deferred'
import { FakeClock } from '@x/test-kit/fake-clock'
import { Node } from '../src/connection/node.js'

const MASTER = 'run_id:one\r\nmaster_replid:two\r\nrole:master\r\n'
const REPLICA = MASTER.replace('master\r\n', 'slave\r\n')

/** A server with a data connection and a tracking connection, which counts its heartbeats. Replies to a held command wait. */
class FakeServer {
  info = MASTER
  /** The commands that were sent, without those that start tracking. */
  sent: string[] = []
  reconnects = 0
  readonly #held = new Map<string, (() => void)[]>()
  readonly tracking = Object.assign(new EventEmitter(), {
    connect: async () => {},
    disconnect: (reconnects: boolean) => { if (reconnects) this.reconnects++ },
    info: async () => this.info,
    client: async () => 7,
    call: async () => 'OK',
    subscribe: async () => 1,
    ping: () => this.#answer('PING')
  })

  readonly data = Object.assign(new EventEmitter(), {
    status: 'ready',
    duplicate: () => this.tracking,
    info: () => this.#answer('INFO')
  })

  hold (...commands: string[]): void {
    for (const command of commands) this.#held.set(command, [])
  }

  async release (command: string): Promise<void> {
    for (const answer of this.#held.get(command)!) answer()
    this.#held.delete(command)
    await settle()
  }

  async #answer (command: string): Promise<string> {
    this.sent.push(command)
    await new Promise<void>((resolve) => {
      const held = this.#held.get(command)
      if (held === undefined) resolve()
      else held.push(resolve)
    })
    return command === 'INFO' ? this.info : 'PONG'
  }
}

interface Watched {
  server: FakeServer
  node: Node
  doubts: () => number
  /** Lets intervals of 250 ms pass, with a `tick` at each. */
  pass: (ms: number, isIdle: boolean) => Promise<void>
}

/** Makes a node whose messages are trusted. */
async function start (t: Test, isTracked = true): Promise<Watched> {
  const clock = new FakeClock()
  const server = new FakeServer()
  let doubts = 0
  const node = new Node(server.data as unknown as Redis, {
    prefixes: ['p'],
    isTracked,
    heartbeatMs: 250,
    heartbeatTimeoutMs: 1000,
    now: () => clock.now(),
    isIdle: () => false,
    onInvalidated: () => {},
    onDoubt: () => { doubts++ },
    onRefused: ({ message }) => t.fail(message)
  }, () => {})
  t.teardown(() => node.close())
  await settle()
  server.tracking.emit('ready')
  await settle()
  t.equal(node.isTrusted, isTracked)
  server.sent = []
  doubts = 0
  return {
    server,
    node,
    doubts: () => doubts,
    pass: async (ms, isIdle) => {
      for (let left = ms; left > 0; left -= 250) {
        clock.advance(0.25)
        node.tick(isIdle)
        await settle()
      }
    }
  }
}

t.test('node: sends an INFO and a PING with each tick while the process is busy, and both each five seconds while it is idle', async (t) => {
  const { server, pass, node, doubts } = await start(t)
  await pass(5000, false)
  t.equal(server.sent.length, 40)
  t.ok(node.isTrusted)
  server.sent = []
  await pass(60_000, true)
  t.ok(server.sent.length <= 24, `${server.sent.length} commands in a minute`)
  t.ok(server.sent.includes('INFO') && server.sent.includes('PING'))
  t.equal(doubts(), 0, 'remembered tokens are not forgotten')
  t.equal(server.reconnects, 0)
})

t.test('node: without tracking an idle process sends an INFO each five seconds', async (t) => {
  const { server, pass } = await start(t, false)
  await pass(60_000, true)
  t.same(new Set(server.sent), new Set(['INFO']))
  t.ok(server.sent.length <= 12 && server.sent.length >= 11, `${server.sent.length} commands`)
})

t.test('node: is not trusted after a pause of the heartbeats, but its messages are not said to be missing', async (t) => {
  const { pass, node } = await start(t)
  await pass(1000, true)
  t.ok(node.isTrusted)
  await pass(250, true)
  t.notOk(node.isTrusted)
  t.ok(node.isTracked)
})

t.test('prove: sends one heartbeat for all callers after a pause, and none without a pause', async (t) => {
  const { server, pass, node } = await start(t)
  t.equal(node.prove(), undefined)
  await pass(2000, true)
  await Promise.all([node.prove(), node.prove(), node.prove()])
  t.strictSame(server.sent, ['INFO', 'PING'])
  await settle()
  t.ok(node.isTrusted)
  t.equal(node.prove(), undefined)
})

for (const [first, last] of [['INFO', 'PING'], ['PING', 'INFO']] as const) {
  t.test(`prove: a server is trusted again once both replies are there, ${last} being the last`, async (t) => {
    const { server, pass, node } = await start(t)
    await pass(2000, true)
    server.hold('INFO', 'PING')
    const proof = node.prove()!
    t.equal(await stateOf(proof), 'pending')
    t.notOk(node.isTrusted)
    await server.release(first)
    t.notOk(node.isTrusted)
    t.equal(await stateOf(proof), first === 'INFO' ? 'resolved' : 'pending')
    await server.release(last)
    t.ok(node.isTrusted)
  })
}

t.test('prove: a later heartbeat does not prove what the first one after the pause has not', async (t) => {
  const { server, pass, node } = await start(t)
  await pass(2000, true)
  server.hold('INFO')
  const proof = node.prove()!
  await pass(500, false)
  t.equal(server.sent.filter((command) => command === 'INFO').length, 3)
  t.equal(await stateOf(proof), 'pending')
  t.equal(node.prove(), proof)
  t.notOk(node.isTrusted)
})

t.test('prove: finds a server that became a replica during the pause, or another one', async (t) => {
  for (const [info, isKnown] of [[REPLICA, false], [MASTER.replace('two', 'three'), true]] as const) {
    const { server, pass, node } = await start(t)
    const before = node.serverId
    await pass(2000, true)
    server.info = info
    await node.prove()
    t.not(node.serverId, before)
    t.equal(node.serverId !== undefined, isKnown)
    t.notOk(node.isTrusted)
  }
})

t.test('node: a stalled process trusts nothing before a heartbeat that was sent afterwards is answered', async (t) => {
  const { server, node, pass, doubts } = await start(t)
  await pass(1250, true)
  t.notOk(node.isTrusted)
  server.hold('INFO', 'PING')
  await pass(250, false)
  await server.release('PING')
  t.notOk(node.isTrusted)
  await server.release('INFO')
  t.ok(node.isTrusted)
  t.equal(doubts(), 0)
  t.equal(server.reconnects, 0, 'a pause is no missed heartbeat')
})

t.test('node: a heartbeat without a reply ends the trust within heartbeatTimeoutMs, and restarts tracking, also in an idle process', async (t) => {
  for (const isIdle of [false, true]) {
    const { server, node, pass, doubts } = await start(t)
    await pass(4750, true)
    server.hold('PING')
    await pass(isIdle ? 1000 : 250, isIdle)
    const sentAfter = isIdle ? 750 : 0
    t.ok(server.sent.includes('PING'))
    await pass(1000 - sentAfter, isIdle)
    t.notOk(node.isTrusted)
    t.equal(doubts(), 0)
    await pass(250, isIdle)
    t.equal(doubts(), 1)
    t.equal(server.reconnects, 1)
    t.notOk(node.isTracked)
  }
})
