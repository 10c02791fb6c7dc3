// The sections of the console about this process: its implementation, its operations, its key patterns.
const { cacheConsole } = globalThis
const { element, nameOf, badge, table, facts, section, poll, announce, shareChart, formats } = cacheConsole
const { count, percent, duration, bytes, time, known } = formats

const EVERY_MS = 2000
/** The number of polls that the chart of the hit rate shows: those of five minutes. */
const SHOWN = 150
/** The number of polls over which the present rates are computed: those of ten seconds. */
const LIVE = 5

const now = section('now', 'Now')
const operations = section('operations', 'Operations')
const patterns = section('patterns', 'Key patterns')

/** The counts of the last polls, each as `{ at, reads, hits, errors }`. */
const history = []
let status
const listeners = []

/** Adds a listener that receives the status at each poll. */
cacheConsole.onStatus = (listener) => listeners.push(listener)

poll({
  path: '',
  everyMs: EVERY_MS,
  show (json) {
    status = json
    for (const listener of listeners) listener(json)
  }
})
poll({
  path: '/counts',
  everyMs: EVERY_MS,
  show (json) {
    note(json)
    if (status !== undefined) now.show(factsOf(), chartOf())
    operations.show(operationsOf(json), errorsOf(json))
    patterns.show(patternsOf(json))
  }
})

function note ({ implementations, at }) {
  const sum = (of) => implementations.reduce((total, each) => total + of(each), 0)
  history.push({ at: Date.parse(at), reads: sum(({ hits, misses }) => hits + misses), hits: sum(({ hits }) => hits), errors: sum(({ errors }) => errors) })
  if (history.length > SHOWN) history.shift()
}

/** Returns the reads between two polls; `undefined` before the second poll, and after a restart of the app. */
function between (one, other) {
  if (one === undefined || other === undefined || other.reads < one.reads || other.at <= one.at) return undefined
  return { reads: other.reads - one.reads, hits: other.hits - one.hits, errors: other.errors - one.errors, seconds: (other.at - one.at) / 1000 }
}

function factsOf () {
  const { recentStats, implName, enabled, degraded, registeredAt, rollout, memory, near, breaker, tracking, queuedInvalidations, problem, mode } = status
  const live = between(history.at(-1 - LIVE) ?? history[0], history.at(-1))
  const liveRate = live === undefined || live.reads === 0 ? '–' : percent(live.hits / live.reads)
  const state = degraded === true ? ['out of service', 'bad'] : enabled ? ['in service', 'good'] : ['observing', 'plain']
  announce(`${implName} ${state[0]}. Hit rate ${liveRate}, ${live === undefined ? 'no reads yet' : `${count(live.reads / live.seconds)} reads per second`}.`)
  return facts([
    ['Implementation', [nameOf(implName), ' ', badge(...state)], `since ${time(registeredAt)}${mode === undefined ? '' : `, ${mode}`}`],
    ['Hit rate, 10 s', liveRate, live === undefined ? undefined : `${count(live.reads / live.seconds)} reads/s`],
    ['Hit rate, 5 min', recentStats.hits + recentStats.misses === 0 ? '–' : percent(recentStats.hitRate), `${count(recentStats.hits + recentStats.misses)} reads, ${count(recentStats.errors)} errors`],
    rollout === undefined ? undefined : ['Rollout', `${count(rollout.percent)}\u00a0%`, rollout.allow.includes('*') ? 'all key patterns' : [nameOf(rollout.allow.join(', '))]],
    memory === undefined ? undefined : ['Memory', bytes(memory.bytes), `of ${bytes(memory.maxBytes)}; ${count(memory.entries)} of ${count(memory.maxEntries)} entries`],
    breaker === undefined ? undefined : ['Breaker', badge(breaker, breaker === 'closed' ? 'good' : 'bad'), problem],
    queuedInvalidations === undefined ? undefined : ['Queued removals', count(queuedInvalidations)],
    tracking === undefined ? undefined : ['Tracking', badge(tracking, tracking === 'in doubt' ? 'bad' : 'plain')],
    near === undefined ? undefined : ['Near cache', bytes(near.bytes), `${count(near.entries)} entries, ${count(near.hits)} hits`]
  ].filter((fact) => fact !== undefined))
}

function chartOf () {
  const newest = history.at(-1)?.at ?? 0
  const points = []
  for (let at = LIVE; at < history.length; at++) {
    const step = between(history[at - LIVE], history[at])
    if (step !== undefined && step.reads > 0) points.push([(history[at].at - newest) / 1000, step.hits / step.reads])
  }
  if (points.length < 2) return element('p', { class: 'muted' }, 'The chart of the hit rate begins with the next reads.')
  const rates = points.map(([, share]) => share)
  return element('figure', {},
    shareChart({
      label: `Hit rate of the last ${duration(-points[0][0])}: from ${percent(Math.min(...rates))} to ${percent(Math.max(...rates))}, now ${percent(rates.at(-1))}`,
      axis: 'seconds, now at the right',
      isLinear: true,
      lines: [{ points, isMain: true }],
      ticks: [[points[0][0], count(Math.round(points[0][0]))], [0, '0']]
    }),
    element('figcaption', {}, 'Hit rate, over ten seconds each'))
}

function operationsOf ({ implementations }) {
  const rows = implementations.flatMap(({ impl, operations }) => operations.map(({ operation, count: number, meanSeconds, p95Seconds }) => ({
    key: `${impl} ${operation}`,
    cells: [operation, nameOf(impl), count(number), known(meanSeconds, duration), p95Seconds === null ? '> 10 s' : `≤ ${known(p95Seconds, duration)}`]
  })))
  return table('Operations of the implementations, since the start', ['Operation', 'Cache', 'Count', 'Mean', '95th percentile'], rows, 'durations are measured with @x/cache-metrics.')
}

function errorsOf ({ implementations }) {
  const rows = implementations.flatMap(({ impl, errorTypes }) => Object.entries(errorTypes).map(([type, number]) =>
    ({ key: `${impl} ${type}`, cells: [type, nameOf(impl), count(number)] })))
  return table('Errors, since the start', ['Type', 'Cache', 'Count'], rows)
}

function patternsOf ({ patterns: all }) {
  const rows = [...all].sort((a, b) => b.hits + b.misses - a.hits - a.misses).map(({ impl, keyPattern, hits, misses, sets, dels, loads, meanLoadSeconds }) => ({
    key: `${impl} ${keyPattern}`,
    cells: [
      nameOf(keyPattern), impl === 'null' ? 'not cached' : nameOf(impl), count(hits + misses), hits + misses === 0 ? '–' : percent(hits / (hits + misses)),
      count(sets), count(dels), count(loads), known(meanLoadSeconds, duration)
    ]
  }))
  return table('Key patterns, since the start', ['Key pattern', 'Cache', 'Reads', 'Hit rate', 'Stores', 'Removals', 'Loads', 'Mean load'], rows)
}
