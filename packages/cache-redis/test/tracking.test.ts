import { EventEmitter } from 'node:events'
import type { Redis, RedisOptions } from 'ioredis'
import t, { type Test } from 'tap'
import { settle } from '@x/test-kit/deferred'
import { Tracker } from '../src/tracking/tracking.js'

const CHANNEL = Buffer.from('__redis__:invalidate')
const INFO = 'run_id:one\r\nmaster_replid:two\r\nrole:master\r\n'

/** A fake connection of a tracker, whose replies the test determines. */
class FakeRedis extends EventEmitter {
  readonly sent: string[] = []
  options: RedisOptions = {}
  refuses: { readonly [command: string]: string } = {}
  ends = 0
  duplicate (options: RedisOptions): FakeRedis {
    this.options = options
    return this
  }

  connect (): Promise<void> { return Promise.resolve() }
  disconnect (): void { this.ends++ }
  info = (): Promise<string> => this.#answer('INFO', INFO)
  client = (): Promise<number> => this.#answer('CLIENT ID', 7)
  call = (): Promise<string> => this.#answer('CLIENT TRACKING', 'OK')
  subscribe = (): Promise<number> => this.#answer('SUBSCRIBE', 1)
  ping = (): Promise<string> => this.#answer('PING', 'PONG')
  async #answer<T> (command: string, reply: T): Promise<T> {
    this.sent.push(command)
    const refusal = this.refuses[command]
    if (refusal !== undefined) throw Object.assign(new Error(refusal), { name: 'ReplyError' })
    return reply
  }
}

interface Started { redis: FakeRedis; tracker: Tracker; now: { ms: number }; forgotten: string[]; doubts: () => number; warnings: string[] }

function start (t: Test): Started {
  const now = { ms: 0 }
  const redis = new FakeRedis()
  const forgotten: string[] = []
  const warnings: string[] = []
  let doubts = 0
  const tracker = new Tracker(redis as unknown as Redis, {
    prefixes: ['p'],
    heartbeatMs: 250,
    heartbeatTimeoutMs: 1000,
    now: () => now.ms,
    onInvalidated: (keys) => { forgotten.push(...keys) },
    onDoubt: () => { doubts++ },
    onRefused: ({ message }) => { warnings.push(message) }
  })
  t.teardown(() => tracker.close())
  return { redis, tracker, now, forgotten, doubts: () => doubts, warnings }
}

t.test('tracking: a message that a stranger published is no list of keys: it throws nothing and removes nothing', async (t) => {
  const { redis, tracker, forgotten, doubts } = start(t)
  redis.emit('ready')
  await settle()
  t.ok(tracker.isAlive)
  const before = doubts()
  for (const message of [Buffer.from('x'), Buffer.alloc(0), Buffer.from('null'), 'text', 5, undefined, {}]) redis.emit('messageBuffer', CHANNEL, message)
  redis.emit('messageBuffer', Buffer.from('other'), [Buffer.from('pa')])
  t.same(forgotten, [])
  redis.emit('messageBuffer', CHANNEL, [Buffer.from('pa'), Buffer.from([0xff]), null])
  t.equal(forgotten[0], 'pa')
  t.equal(doubts(), before)
  redis.emit('messageBuffer', CHANNEL, null)
  t.equal(doubts(), before + 1)
  t.ok(tracker.isAlive)
})

t.test('tracking: pauses double while it is refused, up to a minute, and the refusal names the command and not the user', async (t) => {
  for (const command of ['INFO', 'CLIENT ID', 'CLIENT TRACKING', 'SUBSCRIBE']) {
    const { redis, tracker, warnings } = start(t)
    redis.refuses = { [command]: "NOPERM User least has no permissions to run the 'client|tracking' command" }
    const pauses: unknown[] = []
    for (let at = 0; at < 12; at++) {
      redis.emit('ready')
      await settle()
      redis.emit('close')
      pauses.push(redis.options.retryStrategy!(at + 1))
    }
    t.same(pauses, [250, 500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000, 60_000], command)
    t.equal(redis.ends, 12)
    t.notOk(tracker.isAlive)
    for (const warning of warnings) {
      t.match(warning, `Redis refuses ${command}`)
      t.notMatch(warning, 'least')
    }
    redis.refuses = {}
    redis.emit('ready')
    await settle()
    t.ok(tracker.isAlive, 'it is tried again')
    redis.emit('close')
    t.equal(redis.options.retryStrategy!(1), 250, 'and begins anew')
  }
})

t.test('tracking: a server that lacks the command is one that refuses it', async (t) => {
  const { redis, warnings } = start(t)
  redis.refuses = { 'CLIENT TRACKING': "ERR Unknown subcommand or wrong number of arguments for 'TRACKING'" }
  redis.emit('ready')
  await settle()
  t.match(warnings, [/Redis refuses CLIENT TRACKING .*Unknown subcommand/])
})

t.test('tracking: a connection that breaks is tried again within seconds, without a warning', async (t) => {
  const { redis, warnings } = start(t)
  const pauses = Array.from({ length: 6 }, () => {
    redis.emit('error', Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }))
    redis.emit('close')
    return redis.options.retryStrategy!(1)
  })
  t.same(pauses, [250, 500, 1000, 2000, 2000, 2000])
  t.same(warnings, [])
})

t.test('tracking: a server that is loading refuses nothing', async (t) => {
  const { redis, warnings } = start(t)
  redis.refuses = { INFO: 'LOADING Redis is loading the dataset in memory' }
  redis.emit('ready')
  await settle()
  t.same(warnings, [])
})

t.test('tracking: a heartbeat after a pause proves that no earlier message was missed, and restarts nothing', async (t) => {
  const { redis, tracker, now, doubts } = start(t)
  redis.emit('ready')
  await settle()
  const before = doubts()
  now.ms = 1001
  t.notOk(tracker.isAlive)
  tracker.restartIfLate()
  tracker.beat()
  t.notOk(tracker.isAlive, 'not before the reply')
  await settle()
  t.ok(tracker.isAlive)
  now.ms = 2001
  t.ok(tracker.isAlive, 'for heartbeatTimeoutMs since the heartbeat was sent')
  now.ms = 2002
  t.notOk(tracker.isAlive)
  t.equal(doubts(), before)
  t.equal(redis.ends, 0)
})

t.test('tracking: a refused PING restarts the connection, and is reported', async (t) => {
  const { redis, tracker, warnings, doubts } = start(t)
  redis.emit('ready')
  await settle()
  const before = doubts()
  redis.refuses = { PING: "NOPERM User least has no permissions to run the 'ping' command" }
  tracker.beat()
  await settle()
  t.equal(redis.ends, 1)
  t.equal(doubts(), before + 1)
  t.match(warnings, [/Redis refuses PING/])
})
