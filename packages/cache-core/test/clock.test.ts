import { MemoryCache } from '@x/cache-core'
import { ElapsedClock, monotonicClock } from '@x/cache-core/suite'
import { setImmediate as nextTurn, setTimeout } from 'node:timers/promises'
import t, { type Test } from 'tap'

const HOUR = 3_600_000

/** The monotonic clock and the wall clock of a machine, and the clock that is made from both. */
function machine (t: Test): { clock: ElapsedClock; run: (ms: number) => void; sleep: (ms: number) => void; setWall: (ms: number) => void } {
  const { now } = Date
  t.teardown(() => { Date.now = now })
  let monotonic = 1000
  let wall = Date.UTC(2025, 5, 15)
  Date.now = () => Math.floor(wall)
  const setWall = (ms: number): void => { wall += ms }
  const run = (ms: number): void => {
    monotonic += ms
    wall += ms
  }
  return { clock: new ElapsedClock(() => monotonic), run, sleep: setWall, setWall }
}

t.test('monotonicClock: tells milliseconds, and never goes back', async (t) => {
  const readings = Array.from({ length: 1000 }, () => monotonicClock.now())
  t.ok(readings.every((reading, at) => at === 0 || reading >= readings[at - 1]!))
  const began = { here: monotonicClock.now(), there: performance.now() }
  await setTimeout(20)
  const passed = { there: performance.now() - began.there, here: monotonicClock.now() - began.here }
  t.ok(passed.here >= passed.there - 0.001, 'read before and after')
  t.ok(passed.here < passed.there + 1000, 'and in the same unit')
})

for (const read of ['now', 'coarse'] as const) {
  t.test(`${read}: the time that the machine slept has passed`, async (t) => {
    const { clock, run, sleep } = machine(t)
    const began = clock[read]()
    run(5)
    sleep(8 * HOUR)
    run(5)
    t.equal(clock[read]() - began, 8 * HOUR + 10)
  })

  t.test(`${read}: a wall clock that is set back changes nothing, and a sleep after it counts in full`, async (t) => {
    const { clock, run, sleep, setWall } = machine(t)
    const began = clock[read]()
    setWall(-HOUR)
    t.equal(clock[read]() - began, 0)
    run(7)
    t.equal(clock[read]() - began, 7)
    sleep(HOUR / 2)
    t.equal(clock[read]() - began, HOUR / 2 + 7)
  })

  t.test(`${read}: a wall clock that is set forward makes all older, and setting it back makes nothing younger`, async (t) => {
    const { clock, setWall } = machine(t)
    const began = clock[read]()
    setWall(HOUR)
    t.equal(clock[read]() - began, HOUR)
    setWall(-HOUR)
    t.equal(clock[read]() - began, HOUR)
  })
}

t.test('now: fractions of a millisecond, which the wall clock cuts, do not add up', async (t) => {
  const { clock, run } = machine(t)
  const began = clock.now()
  for (let step = 0; step < 10_000; step++) {
    run(0.37)
    clock.now()
  }
  t.ok(Math.abs(clock.now() - began - 3700) < 1e-6)
})

t.test('now: a process that is held up between the two readings is none the older', async (t) => {
  let monotonic = 0
  const { now } = Date
  t.teardown(() => { Date.now = now })
  Date.now = () => 1e12 + Math.floor(monotonic)
  let delay = 0
  const clock = new ElapsedClock(() => {
    monotonic += delay
    delay = 0
    return monotonic
  })
  const began = clock.now()
  for (let step = 0; step < 100; step++) {
    delay = 50
    clock.now()
  }
  t.equal(clock.now() - began, 5000)
})

t.test('coarse: a burst of readings goes on as the wall clock does', async (t) => {
  const { clock, run } = machine(t)
  const began = clock.coarse()
  for (let read = 0; read < 100; read++) clock.coarse()
  run(3)
  t.equal(clock.coarse() - began, 3)
})

t.test('coarse: a wall clock that stands still holds up the time no longer than a turn of the event loop', async (t) => {
  const { clock, run, setWall } = machine(t)
  const began = clock.coarse()
  for (let read = 0; read < 100; read++) clock.coarse()
  run(5000)
  setWall(-5000)
  await nextTurn()
  await nextTurn()
  t.equal(clock.coarse() - began, 5000)
})

t.test('MemoryCache: an entry whose ttl the machine slept through is a miss', async (t) => {
  const cache = new MemoryCache()
  await cache.set('key', 'value', 60)
  await cache.set('stale', 'value', { ttl: 60, staleIfError: 24 * 3600 })
  const { now } = Date
  t.teardown(() => { Date.now = now })
  Date.now = () => now() + 8 * HOUR
  t.match(await cache.get('key'), { ok: true, value: null })
  const entry = await cache.getEntry('stale')
  t.match(entry, { ok: true, value: { fresh: false } })
  const { age, ttlLeft } = (entry as { value: { age: number; ttlLeft: number } }).value
  t.ok(age >= 8 * 3600 - 1 && age < 8 * 3600 + 100)
  t.ok(ttlLeft <= 60 - 8 * 3600 + 1)
})

t.test('MemoryCache: a wall clock that is set back keeps nothing alive', async (t) => {
  const { clock, run, setWall } = machine(t)
  const cache = new MemoryCache({ clock })
  await cache.set('key', 'value', 60)
  setWall(-8 * HOUR)
  t.match(await cache.get('key'), { ok: true, value: 'value' })
  run(59_999)
  t.match(await cache.get('key'), { ok: true, value: 'value' })
  run(1)
  t.match(await cache.get('key'), { ok: true, value: null })
})
