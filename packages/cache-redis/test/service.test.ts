import { isCacheError, type Result } from '@x/cache-core'
import t, { type Test } from 'tap'
import { deferred, settle, stateOf } from '@x/test-kit/deferred'
import { FakeTime } from '@x/test-kit/fake-time'
import type { Removal } from '../src/service/invalidation-queue.js'
import { Service, type ServiceDeps } from '../src/service/service.js'

const tag = (name: string): Removal => ({ kind: 'tag', name })

class FakeStore {
  /** The events, in order. */
  readonly events: string[] = []
  ping: ServiceDeps['ping'] = async () => {}
  send: ServiceDeps['send'] = async () => {}

  sent (): string[] { return this.events.filter((event) => event.startsWith('sent')) }
}

interface Setup { service: Service; store: FakeStore; time: FakeTime }

function setUp (t: Test, maxQueued = 10): Setup {
  const time = new FakeTime(t)
  const store = new FakeStore()
  const service = new Service({
    commandTimeoutMs: 80,
    breaker: { windowMs: 1000, minimumCalls: 3, errorRate: 0.5, probeMs: 200 },
    maxQueued,
    now: () => time.clock.now()
  }, {
    ping: () => store.ping(),
    applyHere: (removal) => store.events.push(`here ${nameOf(removal)}`),
    send: (removal) => {
      store.events.push(`sent ${nameOf(removal)}`)
      return store.send(removal)
    },
    replayed: (removal) => store.events.push(`replayed ${nameOf(removal)}`),
    changed: () => store.events.push('changed')
  })
  t.teardown(async () => {
    store.send = async () => {}
    await service.close()
  })
  return { service, store, time }
}

async function inService (t: Test, maxQueued?: number): Promise<Setup> {
  const setup = setUp(t, maxQueued)
  setup.service.probeNow()
  await settle()
  t.equal(setup.service.isUp, true)
  setup.store.events.length = 0
  return setup
}

function nameOf (removal: Removal): string {
  return removal.kind === 'clear' ? 'clear' : removal.name
}

function codeOf (result: Result<unknown>): string {
  return result.ok ? 'ok' : result.error.code
}

const down = async (): Promise<never> => { throw new Error('Connection is closed.') }
const hangs = (): Promise<never> => new Promise(() => {})

t.test('service: is out of service until the store has answered', async (t) => {
  const { service, store, time } = setUp(t)
  t.equal(service.isUp, false)
  const result = await service.run('get', async () => t.fail('nothing is tried'))
  t.equal(codeOf(result), 'CACHE_ERR_UNAVAILABLE')
  store.ping = down
  service.probeNow()
  await settle()
  t.equal(service.isUp, false)
  store.ping = async () => {}
  time.advance(200)
  await settle()
  t.equal(service.isUp, true)
  t.strictSame(await service.run('get', async () => 1), { ok: true, value: 1 })
})

t.test('service: a call that hangs ends in CACHE_ERR_TIMEOUT, one that fails in a coded error', async (t) => {
  const { service, time } = await inService(t)
  const call = service.run('get', hangs)
  time.advance(79)
  t.equal(await stateOf(call), 'pending')
  time.advance(20)
  t.equal(codeOf(await call), 'CACHE_ERR_TIMEOUT')
  t.equal(codeOf(await service.run('get', down)), 'CACHE_ERR_UNAVAILABLE')
  time.advance(500)
  t.equal(service.breakerState, 'closed', 'each of the two failures is counted once: the third would open the breaker')
})

t.test('service: fails fast after a window of failures, without asking the store', async (t) => {
  const { service, store } = await inService(t)
  store.ping = down
  for (let call = 0; call < 3; call++) await service.run('get', down)
  t.equal(service.breakerState, 'open')
  t.equal(codeOf(await service.run('get', async () => t.fail('nothing is tried'))), 'CACHE_ERR_UNAVAILABLE')
})

t.test('service: what one entry does wrong is no outage', async (t) => {
  const { service } = await inService(t)
  for (let call = 0; call < 10; call++) {
    const result = await service.run('get', async () => { throw new Error('WRONGTYPE Operation against a key') })
    t.equal(codeOf(result), 'CACHE_ERR_CORRUPT')
  }
  t.equal(service.breakerState, 'closed')
})

t.test('service: a removal is ok once the store acknowledged all of it, and takes effect here before it is sent', async (t) => {
  const { service, store } = await inService(t)
  const gate = deferred()
  store.send = async ({ kind, ...rest }) => { if ('name' in rest && rest.name === 'b') await gate.promise; return kind }
  const call = service.remove('tags.invalidate', [tag('a'), tag('b')])
  t.strictSame(store.events, ['here a', 'here b', 'sent a', 'sent b'])
  t.equal(await stateOf(call), 'pending')
  gate.resolve()
  t.strictSame(await call, { ok: true, value: undefined })
  t.equal(service.queued, 0)
})

for (const [fault, send, code] of [['rejects', down, 'CACHE_ERR_UNAVAILABLE'], ['hangs', hangs, 'CACHE_ERR_TIMEOUT']] as const) {
  t.test(`service: a removal that the store ${fault} is queued, and nothing is read until it was replayed`, async (t) => {
    const { service, store, time } = await inService(t)
    store.send = async (removal) => nameOf(removal) === 'b' ? send() : undefined
    const call = service.remove('tags.invalidate', [tag('a'), tag('b')])
    await settle()
    time.advance(90)
    const result = await call
    t.equal(codeOf(result), code)
    t.equal(!result.ok && isCacheError(result.error) && result.error.queued, true)
    t.equal(service.queued, 1, 'the one that was not acknowledged')
    t.equal(service.isUp, false)
    t.equal(codeOf(await service.run('get', async () => t.fail('reads wait for the replay'))), 'CACHE_ERR_UNAVAILABLE')
    const gate = deferred()
    store.send = () => gate.promise
    const before = store.sent().length
    while (store.sent().length === before) time.advance(10)
    t.equal(store.sent().at(-1), 'sent b')
    t.equal(service.isUp, false, 'it is on its way')
    gate.resolve()
    await settle()
    t.equal(service.isUp, true)
    t.strictSame(await service.run('get', async () => 1), { ok: true, value: 1 })
  })
}

t.test('service: removals while out of service are queued unsent, and replayed before it is in service', async (t) => {
  const { service, store } = setUp(t)
  const result = await service.remove('del', [{ kind: 'del', name: 'key' }])
  t.equal(codeOf(result), 'CACHE_ERR_UNAVAILABLE')
  t.equal(!result.ok && result.error.queued, true)
  t.strictSame(store.sent(), [])
  t.equal(store.events[0], 'here key')
  store.send = async () => { t.equal(service.isUp, false) }
  service.probeNow()
  await settle()
  t.strictSame(store.sent(), ['sent key'])
  t.equal(service.isUp, true)
})

t.test('service: reports a removal that waited once the store has it, and no other', async (t) => {
  const { service, store } = await inService(t)
  const replayed = (): string[] => store.events.filter((event) => event.startsWith('replayed'))
  await service.remove('tags.invalidate', [tag('direct')])
  store.send = async (removal) => nameOf(removal) === 'a' ? undefined : down()
  await service.remove('tags.invalidate', [tag('a'), tag('b')])
  service.probeNow()
  await settle()
  t.strictSame(replayed(), [], 'it failed once more')
  store.send = async () => {}
  service.probeNow()
  await settle()
  t.strictSame(replayed(), ['replayed b'])
})

t.test('service: a store that answers but does not take the removals is out of service', async (t) => {
  const { service, store, time } = setUp(t)
  await service.remove('del', [{ kind: 'del', name: 'key' }])
  store.send = down
  service.probeNow()
  await settle()
  t.equal(service.breakerState, 'open')
  t.equal(service.queued, 1)
  store.send = async () => {}
  time.advance(200)
  await settle()
  t.equal(service.isUp, true)
})

t.test('service: a probe that hangs is over in bounded time, and the next comes', async (t) => {
  const { service, store, time } = setUp(t)
  store.ping = hangs
  service.probeNow()
  t.equal(service.breakerState, 'half-open')
  time.advance(90)
  await settle()
  t.equal(service.breakerState, 'open')
  store.ping = async () => {}
  time.advance(200)
  await settle()
  t.equal(service.isUp, true)
})

t.test('service: the queue is bounded, and what does not fit is one clear', async (t) => {
  const { service, store } = setUp(t, 2)
  for (let at = 0; at < 1000; at++) await service.remove('tags.invalidate', [tag(`tag ${at}`)])
  t.equal(service.queued, 1)
  service.probeNow()
  await settle()
  t.strictSame(store.sent(), ['sent clear'])
})

t.test('service: says so whenever its state changes', async (t) => {
  const { service, store } = setUp(t)
  const states: unknown[] = []
  store.events.push = (...events: string[]) => {
    if (events[0] === 'changed') states.push([service.breakerState, service.queued])
    return 0
  }
  await service.remove('tags.invalidate', [tag('a')])
  service.probeNow()
  await settle()
  t.strictSame(states[0], ['open', 1])
  t.strictSame(states.at(-1), ['closed', 0])
})

t.test('close: tries what waits once more, and tells how many are lost', async (t) => {
  for (const [send, lost] of [[async () => {}, 0], [down, 2]] as const) {
    const { service, store } = setUp(t)
    await service.remove('tags.invalidate', [tag('a'), tag('b')])
    store.send = send
    t.equal(await service.close(), lost)
    t.strictSame(store.sent(), ['sent a', 'sent b'])
  }
})

t.test('close: takes bounded time with a store that hangs, and asks the store nothing afterwards', async (t) => {
  const { service, store, time } = setUp(t)
  await service.remove('tags.invalidate', [tag('a')])
  store.send = hangs
  const closing = service.close()
  await settle()
  time.advance(90)
  t.equal(await closing, 1)
  const events = [...store.events]
  store.ping = async () => { store.events.push('pinged') }
  service.probeNow()
  // The test does not check the number of pending timers, since a connection that an earlier test closed may still have one.
  time.advance(5000)
  await settle()
  t.strictSame(store.events, events)
})

t.test('run, remove: a store that refuses the user is CACHE_ERR_AUTH while it is out of service, not unreachable', async (t) => {
  const { service, store, time } = setUp(t)
  store.ping = async () => { throw Object.assign(new Error('WRONGPASS invalid username-password pair or user is disabled.'), { name: 'ReplyError' }) }
  service.probeNow()
  await settle()
  t.equal(codeOf(await service.run('get', async () => 1)), 'CACHE_ERR_AUTH')
  t.match(await service.remove('del', [tag('a')]), { ok: false, error: { code: 'CACHE_ERR_AUTH', queued: true } })
  t.equal(service.problem?.code, 'CACHE_ERR_AUTH')
  store.ping = async () => { throw new Error('Connection is closed.') }
  time.advance(200)
  await settle()
  t.equal(codeOf(await service.run('get', async () => 1)), 'CACHE_ERR_UNAVAILABLE')
  t.equal(service.problem, undefined, 'it does not answer')
  store.ping = async () => {}
  time.advance(200)
  await settle()
  t.equal(service.isUp, true)
  t.equal(service.problem, undefined)
})
