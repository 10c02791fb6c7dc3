// The sections of the console about the advisor's report: advice on key patterns and routes with their curves, gates, and both arms of a
// rollout.
const { cacheConsole } = globalThis
const { element, nameOf, badge, table, facts, section, poll, shareChart, formats } = cacheConsole
const { count, percent, duration, bytes, known } = formats

/** The report is requested less often than counts, since the app simulates caches for each report. */
const EVERY_MS = 10_000
const TONES = { good: 'good', go: 'good', unsafe: 'bad', 'changes when stored': 'bad', 'no-go': 'bad' }

const advice = section('advice', 'Advice')
const gates = section('gates', 'Go or no-go')
const arms = section('arms', 'With and without the cache')
const listeners = []

poll({
  path: '/advice',
  everyMs: EVERY_MS,
  show (report) {
    showAdvice(report)
    showGates(report)
    showArms(report)
    for (const listener of listeners) listener(report)
  }
})

/** Adds a listener that receives the report at each poll. */
cacheConsole.onAdvice = (listener) => listeners.push(listener)

function showAdvice ({ advice: all, verdict, observedSeconds, requests, notes, shadow = [] }) {
  advice.show(
    facts([
      ['Verdict', badge(verdict, TONES[verdict])],
      ['Observed', duration(observedSeconds), `${count(requests)} requests`]
    ]),
    ...[['pattern', 'Key patterns'], ['route', 'Routes']].map(([kind, title]) => [
      element('h3', {}, title),
      ...all.some((one) => one.kind === kind) ? all.filter((one) => one.kind === kind).map(adviceOn) : [element('p', { class: 'muted' }, 'None yet.')]
    ]),
    ...shadow.length === 0 ? [] : [element('h3', {}, 'Shadow reads'), element('ul', {}, shadow.map(({ text }) => element('li', {}, text)))],
    ...notes.length === 0 ? [] : [element('h3', {}, 'Limits of these numbers'), element('ul', {}, notes.map((note) => element('li', {}, note)))]
  )
}

function adviceOn (one) {
  const { kind, name, judgement, priority, requestsPerHour, meanSeconds, ttl, entries, hitRate, margin, savedSecondsPerHour, memoryBytes, leak } = one
  return element('details', { 'data-key': `${kind} ${name}` },
    element('summary', {}, nameOf(name), ' ', badge(judgement.kind, TONES[judgement.kind]), ' ',
      `${percent(hitRate)} hits at ${duration(ttl)}${savedSecondsPerHour === undefined ? '' : `, saves ${duration(savedSecondsPerHour)} per hour`}`),
    element('div', {},
      element('p', {}, 'Verdict: ', badge(judgement.kind, TONES[judgement.kind]), judgement.reason === undefined ? '' : ` ${judgement.reason}`),
      judgement.remedy === undefined ? undefined : element('p', {}, element('strong', {}, 'What would change this: '), judgement.remedy, '.'),
      facts([
        ['Hit rate', `${percent(hitRate)}`, `± ${percent(margin)}, at ${duration(ttl)} and ${count(entries)} entries`],
        ['Frequency', `${count(requestsPerHour)}/h`, priority === undefined ? undefined : `priority ${priority}`],
        ['Mean duration', known(meanSeconds, duration)],
        ['Memory', known(memoryBytes, bytes)],
        ['Stale hits', staleText(one.staleness), staleNote(one)],
        ['Leak', leak === undefined ? 'none found' : badge('differs', 'bad'), leak === undefined ? undefined : [nameOf(leak.dimension), `: ${count(leak.differing)} of ${count(leak.pairs)} pairs`]]
      ]),
      element('div', { class: 'charts' }, overTtl(one), overSize(one)),
      pointsOf(one)))
}

function staleText (forecast) {
  if (forecast === undefined) return 'not compared'
  return forecast.rate === 0 && forecast.high === 1 ? 'unknown' : perTenThousand(forecast.rate)
}

function staleNote ({ staleness, provenTtl }) {
  if (staleness === undefined || (staleness.rate === 0 && staleness.high === 1)) return undefined
  return `at most ${perTenThousand(staleness.high)}${provenTtl === undefined || provenTtl === null ? '' : `; proven for a ttl of ${duration(provenTtl)}`}`
}

function perTenThousand (share) {
  return `${Number((share * 10_000).toPrecision(2))} per 10 000`
}

/** Draws the hit rate over the ttl: one line for each size, the line of the advised size in front. */
function overTtl (one) {
  return curve(one, { x: 'ttl', by: 'entries', axis: 'ttl', text: duration, byText: (size) => `${count(size)} entries` })
}

/** Draws the hit rate over the size: one line for each ttl, the line of the advised ttl in front. */
function overSize (one) {
  return curve(one, { x: 'entries', by: 'ttl', axis: 'entries', text: short, byText: (ttl) => `a ttl of ${duration(ttl)}` })
}

function curve (one, { x, by, axis, text, byText }) {
  const groups = [...new Set(one.points.map((point) => point[by]))]
  const lines = groups.map((value) => ({
    isMain: value === one[by],
    points: one.points.filter((point) => point[by] === value).map((point) => [point[x], point.hitRate]).sort(([a], [b]) => a - b)
  }))
  const main = lines.find(({ isMain }) => isMain)?.points ?? []
  const values = [...new Set(one.points.map((point) => point[x]))].sort((a, b) => a - b)
  // At most about six marks are drawn, since more would overlap on a phone.
  const every = Math.ceil(values.length / 6)
  const title = `Hit rate over ${axis}, at ${byText(one[by])}`
  return element('figure', {},
    shareChart({
      label: `${title}: ${main.map(([at, share]) => `${percent(share)} at ${text(at)}`).join(', ')}`,
      axis: `${axis}${groups.length > 1 ? `; thin lines: other ${by === 'ttl' ? 'ttls' : 'sizes'}` : ''}`,
      lines,
      ticks: values.filter((_, at) => (values.length - 1 - at) % every === 0).map((value) => [value, text(value)])
    }),
    element('figcaption', {}, title))
}

function short (value) {
  return value >= 1000 ? `${Number((value / 1000).toPrecision(3))} k` : String(value)
}

function pointsOf ({ name, points }) {
  const ttls = [...new Set(points.map(({ ttl }) => ttl))].sort((a, b) => a - b)
  const sizes = [...new Set(points.map(({ entries }) => entries))].sort((a, b) => a - b)
  return table(`Hit rates of ${name}, by ttl and number of entries`, ['ttl', ...sizes.map((size) => count(size))], ttls.map((ttl) => ({
    key: String(ttl),
    cells: [duration(ttl), ...sizes.map((size) => known(points.find((point) => point.ttl === ttl && point.entries === size)?.hitRate, percent))]
  })))
}

function showGates ({ gates: rows }) {
  const unit = { share: percent, seconds: duration }
  gates.show(table('Gates over all traffic', ['Gate', 'Value', 'Threshold', 'Verdict', 'Formula'], rows.map((gate) => ({
    key: gate.name,
    cells: [
      gate.name, known(gate.value, (value) => unit[gate.unit]?.(value) ?? `${count(value)}${gate.unit === 'count' ? '' : ` ${gate.unit}`}`), gate.threshold,
      badge(gate.verdict, TONES[gate.verdict]), element('code', {}, gate.formula)
    ]
  }))))
}

function showArms ({ arms: both }) {
  arms.setHidden(both === undefined)
  if (both === undefined) return
  const of = (show) => ({ cached, control }) => `${show(cached)}, without ${show(control)}`
  const ms = (value) => known(value, (each) => duration(each / 1000))
  arms.show(
    element('p', {}, `${both.sentence}. At ${count(both.percent)}\u00a0%, for ${duration(both.seconds)}, in this process.`),
    table('Routes, by arm', ['Route', 'Requests', 'p50', 'p99', 'Failures', 'Difference'], both.routes.map((row) => ({
      key: row.name,
      cells: [nameOf(row.name), of(({ requests }) => count(requests))(row), of(({ p50 }) => ms(p50))(row), of(({ p99 }) => ms(p99))(row), of(({ failures }) => percent(failures.rate))(row), row.sentence]
    }))),
    table('Key patterns, by arm', ['Key pattern', 'Reads', 'Hit rate', 'Loads per read', 'Difference'], both.patterns.map((row) => ({
      key: row.name,
      cells: [nameOf(row.name), of(({ reads }) => count(reads))(row), percent(row.cached.hits.rate), of(({ loadsPerRead }) => count(loadsPerRead))(row), row.sentence]
    })))
  )
}
