import t, { type Test } from 'tap'
import { deferred, settle, type Deferred } from '@x/test-kit/deferred'
import { FakeTime } from '@x/test-kit/fake-time'
import { BanQueue } from '../src/purge/ban-queue.js'
import { EVERYTHING } from '../src/purge/varnish.js'

type Answer = string | undefined

/** Makes a queue for a proxy that accepts all bans at once, until the test holds it. */
function setUp (t: Test, { againAfterMs = 1000, attempts = 1 } = {}) {
  const time = new FakeTime(t)
  const said: string[] = []
  const lost: [number, string][] = []
  const proxy: { answer: Answer; held: Deferred<Answer> | undefined } = { answer: undefined, held: undefined }
  const queue = new BanQueue({
    attempts,
    againAfterMs,
    now: () => time.clock.now(),
    ban: async (tags) => {
      said.push(tags.join(' '))
      return proxy.held === undefined ? proxy.answer : proxy.held.promise
    },
    lost: (...given) => lost.push(given)
  })
  t.teardown(() => queue.close())
  return {
    queue,
    proxy,
    lost,
    time,
    /** Returns the bans that were sent since the last call. */
    async heard () {
      await settle()
      return said.splice(0)
    },
    hold () { proxy.held = deferred() },
    async release () {
      const { held } = proxy
      proxy.held = undefined
      held?.resolve(proxy.answer)
      await settle()
    }
  }
}

const many = (count: number, name = 'tag'): string[] => Array.from({ length: count }, (_none, at) => `${name}${at}`)

t.test('add: at once, several at a time, and once more after againAfterMs', async (t) => {
  const { queue, time, heard } = setUp(t)
  queue.add(['a', 'b'])
  t.same(await heard(), ['a b'])
  time.advance(999)
  t.same(await heard(), [])
  time.advance(1)
  t.same(await heard(), ['a b'])
  time.advance(10_000)
  t.same(await heard(), [])
  t.equal(time.pending, 0)
})

t.test('add: no request has more than the VCL takes', async (t) => {
  const { queue, heard } = setUp(t)
  queue.add(many(70))
  t.same((await heard()).map((tags) => tags.split(' ').length), [32, 32, 6])
})

t.test('add: a tag that waits is there once, one that is on its way is said again after it', async (t) => {
  const { queue, heard, hold, release } = setUp(t)
  hold()
  for (let times = 0; times < 50; times++) queue.add(['a', 'b'])
  t.same(await heard(), ['a b'])
  await release()
  t.same(await heard(), ['a b'])
})

t.test('add: what is said anew before its second time has that after the last', async (t) => {
  const { queue, time, heard } = setUp(t)
  queue.add(['a', 'b'])
  time.advance(0)
  await heard()
  time.advance(600)
  queue.add(['a'])
  t.same(await heard(), ['a'])
  time.advance(400)
  t.same(await heard(), ['b'])
  time.advance(600)
  t.same(await heard(), ['a'])
  time.advance(10_000)
  t.same(await heard(), [])
})

t.test('add: one whose second time waits is said once for both, and has a second time of its own', async (t) => {
  const { queue, time, heard, hold, release } = setUp(t)
  queue.add(['a'])
  await heard()
  hold()
  queue.add(['x'])
  time.advance(1000)
  queue.add(['a'])
  t.same(await heard(), ['x'])
  await release()
  t.same(await heard(), ['a'])
  time.advance(1000)
  t.same((await heard()).join(' ').split(' ').toSorted(), ['a', 'x'])
})

t.test('add: one timer, however many tags', async (t) => {
  const { queue, time, heard } = setUp(t)
  for (const tag of many(500)) {
    queue.add([tag])
    time.advance(0.1)
  }
  await heard()
  t.equal(time.pending, 1)
  await queue.close()
  t.equal(time.pending, 0)
})

t.test('add: everything covers what waits and what was to be said again, and is said again itself', async (t) => {
  const { queue, time, heard, hold, release } = setUp(t)
  queue.add(['a'])
  await heard()
  hold()
  queue.add(['b'])
  queue.add(['c'])
  queue.add([EVERYTHING])
  queue.add(['d'])
  await release()
  t.same(await heard(), ['b', '*'])
  time.advance(1000)
  t.same((await heard()).toSorted(), ['*', 'b'], 'b was on its way')
})

t.test('add: the second time of everything does not stand for that of a tag', async (t) => {
  const { queue, time, heard, hold, release } = setUp(t)
  queue.add([EVERYTHING])
  await heard()
  hold()
  queue.add(['on its way'])
  time.advance(1000)
  queue.add(['a'])
  await release()
  t.same(await heard(), ['on its way', '*', 'a'])
  time.advance(1000)
  t.same(await heard(), ['on its way a'])
})

t.test('add: what does not fit becomes everything, be it to be said now or again', async (t) => {
  const { queue, time, heard, hold, release } = setUp(t)
  queue.add(many(9000))
  t.equal((await heard()).length, Math.ceil(9000 / 32))
  hold()
  queue.add(['first'])
  t.same(await heard(), ['first'])
  queue.add(many(1000))
  await settle()
  queue.add(many(1000, 'other'))
  t.same(await heard(), [])
  queue.add(['one more'])
  queue.add(['covered'])
  await release()
  t.same(await heard(), ['*'])
  time.advance(1000)
  t.same((await heard()).toSorted(), ['*', 'first'])
})

t.test('a failure: is told once for each tag, though the second time fails as well', async (t) => {
  const { queue, time, proxy, lost, heard } = setUp(t)
  proxy.answer = 'why'
  queue.add(['a', 'b'])
  await heard()
  t.same(lost, [[2, 'why']])
  time.advance(1000)
  t.same(await heard(), ['a b'])
  t.same(lost, [[2, 'why']])
  queue.add(['a'])
  await settle()
  t.same(lost, [[2, 'why'], [1, 'why']], 'another call counts anew')
})

t.test('a failure: of the second time alone is told, too', async (t) => {
  const { queue, time, proxy, lost, heard } = setUp(t)
  queue.add(['a'])
  await heard()
  proxy.answer = 'why'
  time.advance(1000)
  await heard()
  t.same(lost, [[1, 'why']])
})

t.test('a failure: whoever is told of it may throw', async (t) => {
  const said: string[] = []
  const queue = new BanQueue({
    attempts: 1,
    againAfterMs: 0,
    now: () => 0,
    ban: async (tags) => { said.push(tags.join(' ')); return 'why' },
    lost: () => { throw new Error('x') }
  })
  queue.add(many(40))
  await settle()
  t.equal(said.length, 2)
  await queue.close()
})

t.test('close: says what waits once, drops what was to be said again, and waits for no pause', async (t) => {
  const { queue, time, proxy, lost, heard, hold, release } = setUp(t, { attempts: 20 })
  queue.add(['again'])
  await heard()
  hold()
  queue.add(['a'])
  queue.add(['b'])
  time.advance(1000)
  const closed = queue.close()
  await release()
  await closed
  t.same(await heard(), ['a', 'b'])
  t.same(lost, [])
  t.equal(time.pending, 0)
  proxy.answer = undefined
})

t.test('close: gives up at once what a proxy does not take', async (t) => {
  const { queue, proxy, lost, heard, hold, release } = setUp(t, { attempts: 20 })
  proxy.answer = 'why'
  hold()
  queue.add(['a'])
  queue.add(many(100))
  const closed = queue.close()
  await release()
  await closed
  t.same(await heard(), ['a'])
  t.same(lost, [[101, 'why']])
})
