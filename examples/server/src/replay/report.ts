import { formatCount, textTable } from '../text.js'
import type { ReplayReport } from './replay.js'

/** The report for a person. */
export function formatReport ({ trace, url, path, concurrency, load, counted, checks }: ReplayReport): string {
  const { p50, p90, p99, max } = load.latencyMs
  const statuses = Object.entries(load.statuses).map(([status, count]) => `${formatCount(count)} × ${status}`)
  return [
    `Trace     ${trace}`,
    `Requests  ${formatCount(load.sent)} × GET ${path} to ${url}, ${concurrency} at a time`,
    `Time      ${load.seconds.toFixed(1)} s, ${formatCount(Math.round(load.sent / load.seconds))} requests/s`,
    `Latency   p50 ${ms(p50)}, p90 ${ms(p90)}, p99 ${ms(p99)}, max ${ms(max)}`,
    `Status    ${statuses.join(', ') || 'none'}${load.firstFailure === undefined ? '' : ` (first failure: ${load.firstFailure})`}`,
    '',
    'What the server counted meanwhile:',
    ...textTable(
      ['key pattern', 'hits', 'misses', 'sets', 'hit rate'],
      Object.entries(counted.patterns).map(([pattern, { hits, misses, sets }]) =>
        [pattern, formatCount(hits), formatCount(misses), formatCount(sets), hits + misses === 0 ? '-' : percent(hits / (hits + misses))])),
    '',
    ...textTable(['route', 'candidates'], Object.entries(counted.candidates).map(([route, count]) => [`GET ${route}`, formatCount(count)])),
    '',
    ...checks.map(({ ok, claim }) => `${ok ? 'ok' : 'NOT OK'} - ${claim}`)
  ].join('\n')
}

function ms (milliseconds: number): string {
  return `${milliseconds < 10 ? milliseconds.toFixed(2) : Math.round(milliseconds)} ms`
}

function percent (share: number): string {
  return `${(share * 100).toFixed(2)} %`
}
