import { asciiJson, forMarkdown, listItem, printable } from '../advisor/report/escape.js'
import { table } from '../advisor/report/figures.js'
import type { RolloutCommand } from './arguments.js'
import { toText } from './plain-text.js'
import type { SentRollout } from './rollout-source.js'

/** The number of history records of the rollout that are printed; JSON has all that the app sends. */
const SHOWN_RECORDS = 10

/** The number of characters in a line of `--format text`: the width of a terminal. */
const TEXT_WIDTH = 80

/** Returns the text that `cache-advisor rollout` prints. */
export function showRollout ({ format }: Pick<RolloutCommand, 'format'>, rollout: SentRollout): string {
  if (format === 'json') return `${asciiJson(JSON.stringify(rollout, undefined, 2))}\n`
  const markdown = `${['# Rollout', ...summaryOf(rollout), ...armsOf(rollout), ...rolloutGates(rollout), ...historyOf(rollout)].join('\n\n')}\n`
  return printable(format === 'text' ? toText(markdown, TEXT_WIDTH) : markdown)
}

/** The criteria of the canary's stage as Markdown; none before the first decision. */
export function rolloutGates ({ gates, verdict, reason, percent }: Pick<SentRollout, 'gates' | 'verdict' | 'reason' | 'percent'>): string[] {
  if (gates === undefined || gates === null || gates.length === 0) return []
  return [
    `## Stage of ${percent} %`,
    `Verdict: **${verdict ?? 'wait'}**${reason === undefined || reason === null ? '' : `, ${forMarkdown(reason)}`}.`,
    table(['Gate', 'Value', 'Threshold', 'Verdict', 'Reason'], gates.map(({ name, value, threshold, unit, verdict, reason }) =>
      [name, value === undefined || value === null ? '–' : `${number(value)} ${UNITS[unit] ?? unit}`, threshold, verdict, reason].map(forMarkdown)))
  ]
}

const UNITS: Readonly<Record<string, string>> = { percent: '%', hours: 'h' }

/**
 * Returns a text with the percent at the end of a ramp in progress, or ''. Without this text, the output after an operator's action would
 * show only the percent before the action.
 */
function risingTo ({ percent, stage, stages, killed, problem }: SentRollout): string {
  const end = stages[stage - 1]
  return end === undefined || percent >= end || killed || typeof problem === 'string' ? '' : `, rising to ${number(end)} %`
}

function summaryOf (rollout: SentRollout): string[] {
  const { percent, stage, stages, paused, killed, completed, advance, holdOut } = rollout
  const { patterns, observedMinutes, minutesToCount, recommendation, problem, note, comparison } = rollout
  const states = [
    ...killed ? ['off by the kill switch'] : [],
    ...completed ? ['complete'] : [],
    ...paused ? ['paused'] : []
  ]
  if (states.length === 0) states.push(advance === 'manual' ? 'recommends only' : 'goes on by itself')
  const lines = [
    `${number(percent)} % of the subjects are cached${risingTo(rollout)}, hold-out ${number(holdOut)} %: ${stage === 0 ? 'the baseline' : `stage ${stage} of ${stages.length}`} (${stages.map(number).join(' → ')}), ${states.join(', ')}`,
    `${number(observedMinutes)} of ${number(minutesToCount)} minutes counted in this stage`,
    ...Object.entries(patterns).map(([pattern, limit]) => `key pattern ${pattern}: ${number(limit)} %`),
    ...[comparison, recommendation, problem === undefined || problem === null ? problem : `problem: ${problem}`, note].filter((line) => typeof line === 'string')
  ]
  return [lines.map(listItem).join('\n')]
}

function armsOf ({ arms }: SentRollout): string[] {
  const ms = (value: number | null | undefined): string => value === undefined || value === null ? '–' : `${number(Number(value.toPrecision(3)))} ms`
  const share = (count: number | null | undefined, total: number | null | undefined): string =>
    typeof count !== 'number' || typeof total !== 'number' || total === 0 ? '–' : `${number(100 * count / total)} %`
  return ['## Arms', table(['Arm', 'Requests', 'Failures', 'p50', 'p95', 'p99', 'Hit Rate', 'Loads/Read'], Object.entries(arms).map(([name, each]) => [
    name, each.requests.toLocaleString('en-US'), share(each.failures, each.requests), ms(each.p50), ms(each.p95), ms(each.p99),
    share(each.hits, each.reads), share(each.loads, each.reads)
  ].map(forMarkdown)))]
}

function historyOf ({ history }: SentRollout): string[] {
  if (history.length === 0) return []
  return ['## History', table(['At', 'From', 'To', 'By', 'Reason'], history.slice(0, SHOWN_RECORDS).map(({ at, from, to, by, reason, pattern }) =>
    [at, number(from), number(to), by, typeof pattern === 'string' ? `${pattern}: ${reason}` : reason].map(forMarkdown)))]
}

function number (value: number): string {
  return Number(value.toPrecision(4)).toLocaleString('en-US', { maximumFractionDigits: 4 })
}
