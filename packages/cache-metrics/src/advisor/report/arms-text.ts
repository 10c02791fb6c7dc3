import type { ArmsReport, ArmsRow, PatternArm, RouteArm, ShareInterval } from '../../traffic/arms.js'
import { forMarkdown } from './escape.js'
import { duration, table } from './figures.js'

/** Describes both arms of a rollout as Markdown: a sentence that compares them, then tables of routes and key patterns. */
export function armsText ({ percent, seconds, sentence, routes, patterns }: ArmsReport): string[] {
  return [
    '## With and without the cache',
    `${forMarkdown(sentence)}. At ${number(percent)} %, for ${duration(seconds)}, in this process.`,
    ...routes.length === 0 ? [] : [table(['Route', 'Requests', 'Failures', 'p50', 'p95', 'p99', 'Difference'], routes.map(routeRow))],
    ...patterns.length === 0 ? [] : [table(['Key Pattern', 'Reads', 'Hit Rate', 'Loads per Read', 'Difference'], patterns.map(patternRow))]
  ]
}

function routeRow ({ name, sentence, cached, control }: ArmsRow<RouteArm>): string[] {
  const both = (shown: (arm: RouteArm) => string): string => `${shown(cached)}, without ${shown(control)}`
  return [
    name, both(({ requests }) => requests.toLocaleString('en-US')), both(({ failures }) => share(failures)),
    both(({ p50 }) => ms(p50)), both(({ p95 }) => ms(p95)), both(({ p99 }) => ms(p99)), sentence
  ].map(forMarkdown)
}

function patternRow ({ name, sentence, cached, control }: ArmsRow<PatternArm>): string[] {
  return [
    name, `${cached.reads.toLocaleString('en-US')}, without ${control.reads.toLocaleString('en-US')}`, share(cached.hits),
    `${number(cached.loadsPerRead)}, without ${number(control.loadsPerRead)}`, sentence
  ].map(forMarkdown)
}

function share ({ rate, low, high }: ShareInterval): string {
  return `${number(100 * rate)} % (${number(100 * low)} to ${number(100 * high)})`
}

function ms (value: number | undefined): string {
  return value === undefined ? '–' : `${number(value)} ms`
}

function number (value: number): string {
  return Number(value.toPrecision(3)).toLocaleString('en-US')
}
