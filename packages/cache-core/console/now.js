// The sections of the console about this process: its implementation, its operations, its key patterns.
const { cacheConsole } = globalThis
const { element, nameOf, badge, table, facts, section, poll, announce, shareChart, LiveCounts, formats } = cacheConsole
const { count, percent, percentage, duration, bytes, time, known } = formats

const EVERY_MS = 2000

const now = section('now', 'Now')
const operations = section('operations', 'Operations')
const patterns = section('patterns', 'Key patterns')

const live = new LiveCounts()
const listeners = []

/** Adds a listener that receives the status at each poll. */
cacheConsole.onStatus = (listener) => listeners.push(listener)

poll({
  path: '/counts',
  everyMs: EVERY_MS,
  show (counts) {
    // The answers of other processes are counted only, so that all numbers in these sections are those of one process.
    if (!live.note(counts)) return
    for (const listener of listeners) listener(counts.status)
    now.show(processesOf(), factsOf(counts.status), chartOf())
    operations.show(operationsOf(counts), errorsOf(counts))
    patterns.show(patternsOf(counts))
  }
})

function processesOf () {
  return live.processes < 2
    ? undefined
    : element('p', { 'data-key': 'processes' }, `In the last minute ${live.processes} processes answered at this address. The numbers here, of the operations and of the key patterns are those of one of them.`)
}

function factsOf ({ recentStats, implName, enabled, degraded, registeredAt, rollout, memory, near, breaker, tracking, queuedInvalidations, problem, mode }) {
  const { latest } = live
  const liveRate = latest === undefined || latest.reads === 0 ? '–' : percent(latest.hits / latest.reads)
  const state = degraded === true ? ['out of service', 'bad'] : enabled ? ['in service', 'good'] : ['observing', 'plain']
  announce(`${implName} ${state[0]}. Hit rate ${liveRate}, ${latest === undefined ? 'no reads yet' : `${count(latest.reads / latest.seconds)} reads per second`}.`)
  return facts([
    ['Implementation', [nameOf(implName), ' ', badge(...state)], `since ${time(registeredAt)}${mode === undefined ? '' : `, ${mode}`}`],
    ['Hit rate, now', liveRate, latest === undefined ? undefined : `${count(latest.reads / latest.seconds)} reads/s, over ${duration(Math.round(latest.seconds))}`],
    ['Hit rate, 5 min', recentStats.hits + recentStats.misses === 0 ? '–' : percent(recentStats.hitRate), `${count(recentStats.hits + recentStats.misses)} reads, ${count(recentStats.errors)} errors`],
    rollout === undefined ? undefined : ['Rollout', percentage(rollout.percent), rollout.allow.includes('*') ? 'all key patterns' : [nameOf(rollout.allow.join(', '))]],
    memory === undefined ? undefined : ['Memory', bytes(memory.bytes), `of ${bytes(memory.maxBytes)}; ${count(memory.entries)} of ${count(memory.maxEntries)} entries`],
    breaker === undefined ? undefined : ['Breaker', badge(breaker, breaker === 'closed' ? 'good' : 'bad'), problem],
    queuedInvalidations === undefined ? undefined : ['Queued removals', count(queuedInvalidations)],
    tracking === undefined ? undefined : ['Tracking', badge(tracking, tracking === 'in doubt' ? 'bad' : 'plain')],
    near === undefined ? undefined : ['Near cache', bytes(near.bytes), `${count(near.entries)} entries, ${count(near.hits)} hits`]
  ].filter((fact) => fact !== undefined))
}

function chartOf () {
  const { parts } = live
  const steps = parts.flat()
  const newest = steps.at(-1)?.at
  const lines = parts.map((part) => ({ isMain: true, points: part.filter(({ reads }) => reads > 0).map(({ at, hits, reads }) => [(at - newest) / 1000, hits / reads]) }))
  const points = lines.flatMap((line) => line.points)
  if (points.length < 2) return element('p', { class: 'muted' }, 'The chart of the hit rate begins with the reads of the next ten seconds.')
  const rates = points.map(([, share]) => share)
  return element('figure', {},
    shareChart({
      label: `Hit rate of the last ${duration(-points[0][0])}: from ${percent(Math.min(...rates))} to ${percent(Math.max(...rates))}, now ${percent(rates.at(-1))}`,
      axis: 'seconds, now at the right',
      isLinear: true,
      lines,
      ticks: [[points[0][0], count(Math.round(points[0][0]))], [0, '0']]
    }),
    element('figcaption', {}, `Hit rate, each over at most ${duration(Math.ceil(Math.max(...steps.map(({ seconds }) => seconds))))}`))
}

function operationsOf ({ implementations }) {
  const { latest } = live
  const rows = implementations.flatMap(({ impl, operations }) => operations.map(({ operation, count: number, meanSeconds, p95Seconds }) => {
    const present = latest?.operation(`${impl} ${operation}`)
    return {
      key: `${impl} ${operation}`,
      cells: [
        operation, nameOf(impl), known(present?.perSecond, count), known(present?.meanSeconds, duration), percentile(present?.p95Seconds),
        count(number), known(meanSeconds, duration), percentile(p95Seconds)
      ]
    }
  }))
  return table('Operations of the implementations, now and since the start',
    ['Operation', 'Cache', 'Calls/s', 'Mean, now', '95th percentile, now', 'Count', 'Mean', '95th percentile'], rows, 'durations are measured with @x/cache-metrics.')
}

/** Formats a percentile, which is the bound of a bucket; `null`: it is above all bounds. */
function percentile (seconds) {
  return seconds === undefined ? '–' : seconds === null ? '> 10 s' : `≤ ${known(seconds, duration)}`
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
