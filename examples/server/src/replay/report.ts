import { formatCount, textTable } from '../text.js'
import type { Counted } from './counters.js'
import type { LoadReport } from './load.js'
import type { ReplayReport } from './replay.js'

/** Formats the report of a replay as text. */
export function formatReport ({ trace, url, path, concurrency, users, compare, load, counted, checks }: ReplayReport): string {
  const { p50, p90, p99, max } = load.latencyMs
  const statuses = Object.entries(load.statuses).map(([status, count]) => `${formatCount(count)} × ${status}`)
  return [
    `Trace     ${trace}`,
    `Requests  ${formatCount(load.sent)} × GET ${path} to ${url}, ${concurrency} at a time${users === undefined ? '' : `, from ${formatCount(users)} users`}`,
    `Time      ${load.seconds.toFixed(1)} s, ${formatCount(Math.round(load.sent / load.seconds))} requests/s`,
    `Latency   p50 ${ms(p50)}, p90 ${ms(p90)}, p99 ${ms(p99)}, max ${ms(max)}`,
    `Status    ${statuses.join(', ') || 'none'}${load.firstFailure === undefined ? '' : ` (first failure: ${load.firstFailure})`}`,
    '',
    'What the server counted meanwhile:',
    ...textTable(
      ['key pattern', 'hits', 'misses', 'sets', 'hit rate'],
      Object.entries(counted.patterns).map(([pattern, { hits, misses, sets }]) =>
        [pattern, formatCount(hits), formatCount(misses), formatCount(sets), hits + misses === 0 ? '-' : percentOf(hits / (hits + misses))])),
    '',
    ...textTable(['route', 'candidates'], Object.entries(counted.candidates).map(([route, count]) => [`GET ${route}`, formatCount(count)])),
    '',
    ...compare ? [...armTable(load, counted), ''] : [],
    ...checks.map(({ ok, claim }) => `${ok ? 'ok' : 'NOT OK'} - ${claim}`)
  ].join('\n')
}

/** Formats a table of both arms: what the server counted for each, and the responses that its users received. */
function armTable (load: LoadReport, { arms, percent }: Counted): string[] {
  const columns = (['cached', 'control'] as const).map((arm) => {
    const { hits, misses } = arms[arm]
    const answers = load.groups[arm]
    const ok = Object.entries(answers?.statuses ?? {}).filter(([status]) => status < '400').reduce((sum, [, count]) => sum + count, 0)
    return [
      formatCount(answers?.sent ?? 0),
      hits + misses === 0 ? '-' : percentOf(hits / (hits + misses)),
      answers === undefined ? '-' : percentOf(ok / answers.sent),
      ...(['p50', 'p90', 'p99', 'max'] as const).map((point) => answers === undefined ? '-' : ms(answers.latencyMs[point]))
    ]
  })
  const rows = ['requests', 'hit rate', 'ok', 'p50', 'p90', 'p99', 'max'].map((row, at) => [row, ...columns.map((column) => column[at]!)])
  return textTable([`at ${percent} %`, 'cached', 'control'], rows)
}

function ms (milliseconds: number): string {
  return `${milliseconds < 10 ? milliseconds.toFixed(2) : Math.round(milliseconds)} ms`
}

function percentOf (share: number): string {
  return `${(share * 100).toFixed(2)} %`
}
