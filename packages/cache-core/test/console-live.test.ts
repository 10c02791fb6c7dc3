import t from 'tap'
import { runConsoleScripts } from './fixtures/console-scripts.js'

const { LiveCounts } = runConsoleScripts('live.js')
const BOUNDS = [0.001, 0.01, 0.1]

interface Sums { hits: number; misses: number }

/** Makes an answer of `/counts` at a second, with hits and misses of the implementation in service and of the control arm. */
function answer (second: number, { hits, misses }: Sums, { process = 'a', control = 0, impl = 'memory', operations = [] as object[] } = {}): object {
  return {
    at: new Date(second * 1000).toISOString(),
    process,
    durationBounds: BOUNDS,
    implementations: [
      { impl: 'null', isInService: false, hits: 0, misses: control, operations: [] },
      { impl, isInService: true, hits, misses, operations }
    ]
  }
}

/** Notes answers at the seconds of a process with one hit and one miss a second. */
function noteSteady (live: any, seconds: readonly number[], process = 'a', scale = 1): void {
  for (const second of seconds) live.note(answer(second, { hits: second * scale, misses: second * scale }, { process }), second * 1000)
}

t.test('latest: is undefined before the second answer', async (t) => {
  const live = new LiveCounts()
  t.equal(live.latest, undefined)
  noteSteady(live, [0])
  t.equal(live.latest, undefined)
  noteSteady(live, [2])
  t.match(live.latest, { reads: 4, hits: 2, seconds: 2 })
})

t.test('latest: has the reads of the implementation in service, and not those of the control arm', async (t) => {
  const live = new LiveCounts()
  for (const second of [0, 2, 4]) live.note(answer(second, { hits: 9 * second, misses: second }, { control: 10 * second }), second * 1000)
  t.match(live.latest, { reads: 40, hits: 36 })
})

t.test('latest: a history begins anew when another implementation comes into service', async (t) => {
  const live = new LiveCounts()
  noteSteady(live, [0, 2, 4])
  live.note(answer(6, { hits: 100, misses: 0 }, { impl: 'redis' }), 6000)
  t.equal(live.latest, undefined)
  t.same(live.parts, [])
})

t.test('latest: is the difference over ten seconds, by time and not by number of answers', async (t) => {
  const live = new LiveCounts()
  noteSteady(live, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
  t.ok(live.latest.seconds >= 9 && live.latest.seconds <= 11, String(live.latest.seconds))
})

t.test('latest: after a pause the difference does not cover the pause', async (t) => {
  const live = new LiveCounts()
  noteSteady(live, [0, 2, 4, 6, 8, 10, 200])
  t.equal(live.latest, undefined)
  noteSteady(live, [202])
  t.match(live.latest, { seconds: 2, reads: 4 })
})

t.test('parts: have no difference over a pause, nor over much less than ten seconds', async (t) => {
  const live = new LiveCounts()
  noteSteady(live, [0, 2, 4, 6, 8, 10, 12, 100, 102, 104, 106, 108, 110])
  const ends = (part: { at: number; seconds: number }[]) => part.map(({ at, seconds }) => [at / 1000, seconds])
  t.same(live.parts.map(ends), [[[10, 10], [12, 10]], [[110, 10]]])
})

t.test('parts: are those of the last five minutes', async (t) => {
  const live = new LiveCounts()
  noteSteady(live, Array.from({ length: 400 }, (_, at) => 2 * at))
  t.equal(live.parts.length, 1)
  const [part] = live.parts
  t.ok(part.at(-1).at - part[0].at >= 280_000 && part.at(-1).at - part[0].at <= 300_000)
})

t.test('note: answers of two processes are not subtracted from one another', async (t) => {
  const live = new LiveCounts()
  for (let second = 0; second < 60; second += 4) {
    noteSteady(live, [second], 'a')
    noteSteady(live, [second + 2], 'b', 50)
    if (second > 0) t.match(live.latest, { hits: live.latest.reads / 2, reads: 2 * live.latest.seconds })
  }
  t.equal(live.processes, 2)
  for (const part of live.parts) for (const { hits, reads } of part) t.equal(hits / reads, 0.5)
})

t.test('note: returns whether the process is the one that is shown', async (t) => {
  const live = new LiveCounts()
  const note = (process: string, second: number): boolean => live.note(answer(second, { hits: 0, misses: 0 }, { process }), second * 1000)
  t.same([note('a', 0), note('b', 2), note('a', 4), note('b', 6)], [true, false, true, false])
})

t.test('note: a process that restarted is replaced by the new one', async (t) => {
  const live = new LiveCounts()
  noteSteady(live, [0, 2, 4], 'old')
  const note = (second: number): boolean => live.note(answer(second, { hits: 0, misses: 0 }, { process: 'new' }), second * 1000)
  const shown = [6, 8, 10, 12, 14, 16, 18, 20, 22, 24].map(note)
  t.equal(shown[0], false)
  t.equal(shown.at(-1), true)
  for (let second = 26; second < 100; second += 2) live.note(answer(second, { hits: second, misses: 0 }, { process: 'new' }), second * 1000)
  t.equal(live.processes, 1)
  t.match(live.latest, { seconds: 10, hits: 10 })
})

t.test('note: processes that answer seldom, since there are many, have a difference over a longer time', async (t) => {
  const live = new LiveCounts()
  for (let second = 0; second < 120; second += 2) noteSteady(live, [second], `process ${second % 20}`)
  t.equal(live.processes, 10)
  t.equal(live.latest.hits, live.latest.seconds)
})

t.test('operation: a slow Redis shows at once, after days of fast calls', async (t) => {
  const live = new LiveCounts()
  const get = (count: number, sumSeconds: number, buckets: number[]) => [{ operation: 'get', count, sumSeconds, buckets }]
  live.note(answer(0, { hits: 1, misses: 0 }, { operations: get(1e9, 1e5, [1e9, 0, 0, 0]) }), 0)
  live.note(answer(10, { hits: 1, misses: 0 }, { operations: get(1e9 + 20, 1e5 + 1, [1e9 + 1, 0, 19, 0]) }), 10_000)
  t.match(live.latest.operation('memory get'), { perSecond: 2, p95Seconds: 0.1 })
  t.ok(Math.abs(live.latest.operation('memory get').meanSeconds - 0.05) < 1e-6)
  t.equal(live.latest.operation('memory set'), undefined)
})

t.test('operation: without a call has no numbers, above all bounds no percentile, and may be new', async (t) => {
  const live = new LiveCounts()
  const set = { operation: 'set', count: 5, sumSeconds: 1, buckets: [5, 0, 0, 0] }
  live.note(answer(0, { hits: 0, misses: 0 }, { operations: [set] }), 0)
  live.note(answer(10, { hits: 0, misses: 0 }, { operations: [set, { operation: 'get', count: 2, sumSeconds: 40, buckets: [0, 0, 0, 2] }] }), 10_000)
  t.equal(live.latest.operation('memory set'), undefined)
  t.same(live.latest.operation('memory get'), { perSecond: 0.2, meanSeconds: 20, p95Seconds: null })
})

t.test('latest: a tab that is shown again polls twice, and no rate is over the moment between both answers', async (t) => {
  const live = new LiveCounts()
  noteSteady(live, [0, 20, 20.008])
  t.equal(live.latest, undefined)
  noteSteady(live, [22])
  t.match(live.latest, { seconds: 2 })
})

t.test('note: a server whose clock was set back has a new history, which does not grow without bound', async (t) => {
  const live = new LiveCounts()
  noteSteady(live, [100_000, 100_002, 100_004])
  noteSteady(live, [0, 2, 4])
  t.match(live.latest, { seconds: 4 })
  t.equal(live.parts.flat().length, 0)
  noteSteady(live, Array.from({ length: 1000 }, (_, at) => 6 + 2 * at))
  t.ok(live.parts.flat().length <= 151, 'those of five minutes')
})
