import type { CacheEvents } from '@x/cache-core'
import { unavailable } from '@x/cache-core/implementing'
import { Events } from '@x/cache-core/suite'
import t from 'tap'
import { settle } from '@x/test-kit/deferred'

t.test('emit: every listener gets the arguments, in the order in which they came', async (t) => {
  const events = new Events()
  const seen: unknown[] = []
  events.on('swapped', (from, to) => { seen.push(['first', from, to]) })
  events.on('swapped', (from, to) => { seen.push(['second', from, to]) })
  events.emit('swapped', 'NullCache', 'MemoryCache')
  t.same(seen, [['first', 'NullCache', 'MemoryCache'], ['second', 'NullCache', 'MemoryCache']])
})

t.test('emit: reaches nobody else, and nobody is no fault', async (t) => {
  const events = new Events()
  events.on('rollout', () => t.fail('another event'))
  events.emit('swapped', 'a', 'b')
})

t.test('emit: a listener that throws harms neither the emitter nor the other listeners', async (t) => {
  const events = new Events()
  const reported: unknown[] = []
  const seen: number[] = []
  const broken = new Error('broken listener')
  events.on('listenerFailed', (event, error) => { reported.push([event, error]) })
  events.on('rollout', () => { throw broken })
  events.on('rollout', (percent) => { seen.push(percent) })
  events.emit('rollout', 10)
  t.same(seen, [10])
  t.same(reported, [['rollout', broken]])
})

t.test('emit: an async listener that rejects is reported, too', async (t) => {
  const events = new Events()
  const reported: unknown[] = []
  const broken = new Error('broken listener')
  events.on('listenerFailed', (event, error) => { reported.push([event, error]) })
  events.on('rollout', async () => { throw broken })
  events.emit('rollout', 10)
  await settle()
  t.same(reported, [['rollout', broken]])
})

t.test('emit: a listener that keeps failing is reported once, another one for itself, and a reporter may fail', async (t) => {
  const events = new Events()
  let reported = 0
  events.on('listenerFailed', () => { reported++; throw new Error('broken reporter') })
  events.on('rollout', () => { throw new Error('broken listener') })
  events.on('rollout', () => { throw new Error('another broken listener') })
  events.on('rollout', async () => { throw new Error('broken listener') })
  events.emit('rollout', 10)
  events.emit('rollout', 20)
  await settle()
  t.equal(reported, 3)
})

t.test('on: what it returns stops the listening, and nothing else', async (t) => {
  const events = new Events()
  const seen: string[] = []
  const stop = events.on('rollout', () => { seen.push('first') })
  events.on('rollout', () => { seen.push('second') })
  stop()
  stop()
  events.emit('rollout', 10)
  t.same(seen, ['second'])
})

t.test('on: who listens twice hears twice, and stops once at a time', async (t) => {
  const events = new Events()
  let heard = 0
  const listener = (): void => { heard++ }
  const stop = events.on('rollout', listener)
  events.on('rollout', listener)
  events.emit('rollout', 10)
  t.equal(heard, 2)
  stop()
  stop()
  events.emit('rollout', 20)
  t.equal(heard, 3)
})

t.test('on: listeners may come and go while an event is announced', async (t) => {
  const events = new Events()
  const seen: string[] = []
  const stops = [
    events.on('rollout', () => {
      seen.push('first')
      for (const stop of stops) stop()
      events.on('rollout', () => { seen.push('late') })
    }),
    events.on('rollout', () => { seen.push('second') })
  ]
  events.emit('rollout', 10)
  t.same(seen, ['first', 'second'])
  events.emit('rollout', 20)
  t.same(seen, ['first', 'second', 'late'])
})

t.test('has: tells whether anybody listens', async (t) => {
  const events = new Events()
  t.equal(events.has('failed'), false)
  const stops = [events.on('failed', () => {}), events.on('failed', () => {})]
  t.equal(events.has('failed'), true)
  t.equal(events.has('loaded'), false)
  stops[0]!()
  t.equal(events.has('failed'), true)
  stops[1]!()
  t.equal(events.has('failed'), false)
})

t.test('CacheEvents: are typed', async (t) => {
  const events = new Events()
  const args: CacheEvents['failed'] = ['memory', 'get', unavailable('get')]
  events.on('failed', (impl, operation, error) => t.same([impl, operation, error.code], ['memory', 'get', 'CACHE_ERR_UNAVAILABLE']))
  // @ts-expect-error: an event without a name
  events.on('unheard', () => {})
  events.emit('failed', ...args)
})
