import type { Advice } from './advice.js'
import { codeBlock, codeSpan, forMarkdown, listItem } from './escape.js'
import { verdictOf, type Gate, type GateVerdict } from './go-no-go-gates.js'
import type { ArmsReport } from '../../traffic/arms.js'
import { armsText } from './arms-text.js'
import { bytes, duration, per10000, percent, seconds, table } from './figures.js'
import { ledgerText, type Ledger } from './ledger.js'
import type { Plan } from './plan.js'
import { expectedText, planText } from './plan-text.js'
import type { ShadowFinding } from './shadow.js'

/** The report of the advisor, the body of `GET /internal/cache/advice`. */
export interface Report {
  /** The version of the JSON form of the report. */
  readonly version: 1
  /** The time at which the report was made, in ISO 8601. */
  readonly generatedAt: string
  /** The source of the report's numbers: `this process`, or a text that begins with `prometheus` or `trace`. */
  readonly source: string
  /** The duration of the advisor's observation in seconds. */
  readonly observedSeconds: number
  readonly requests: number
  readonly verdict: GateVerdict
  /** The advice on each key pattern, then on each route; within each kind the best verdict first. */
  readonly advice: readonly Advice[]
  readonly gates: readonly Gate[]
  readonly plan: Plan | undefined
  /** The measurements of both arms of the rollout; absent while the arms do not have enough requests. */
  readonly arms?: ArmsReport | undefined
  /** The stale entries that shadow reads found, by key pattern; absent if there were no shadow reads. */
  readonly shadow?: readonly ShadowFinding[]
  /** The cost ledger: the time and bytes that the cache saved, and its cost, by key pattern; absent in reports on Prometheus or a trace. */
  readonly ledger?: Ledger
  /** Sentences about the limitations of the numbers in the report. */
  readonly notes: readonly string[]
}

/** Returns the verdict of all advice together: go if at least one key pattern or route is `good` and its priority is not `LOW`. */
export function verdictOfAdvice (all: readonly Advice[]): GateVerdict {
  if (all.some(({ judgement, priority }) => judgement.kind === 'good' && priority !== 'LOW')) return 'go'
  return all.length === 0 || all.every(({ judgement }) => judgement.kind === 'not enough data') ? 'not enough data' : 'no-go'
}

/**
 * Returns the verdict of the report: no-go if shadow reads found too many stale entries; otherwise the verdict of the gates if the advice
 * is go, and the verdict of the advice if it is not.
 */
export function verdictOfReport (advice: readonly Advice[], rows: readonly Gate[], shadow: readonly ShadowFinding[] = []): GateVerdict {
  if (shadow.some(({ verdict }) => verdict === 'no-go')) return 'no-go'
  const verdict = verdictOfAdvice(advice)
  return verdict === 'go' ? verdictOf(rows) : verdict
}

/** Whether the staleness forecast of a ttl is unknown: no stale hit was seen, and the interval is too wide for a forecast. */
export function staleUnknown (forecast: { readonly rate: number, readonly high: number } | undefined): boolean {
  return forecast !== undefined && forecast.rate === 0 && forecast.high === 1
}

const HEAD = ['Key Pattern', 'Access Freq', 'Avg Response Time', 'Est Hit Rate', 'TTL', 'Priority', 'Memory Est', 'Stale', 'Saves', 'Verdict']

/** Returns the advisor's report as Markdown. */
export function toMarkdown (report: Report): string {
  const { source, observedSeconds, requests, verdict, advice, gates, plan, arms, shadow = [], ledger, notes, generatedAt } = report
  const parts = [
    '# Cache advice',
    `${forMarkdown(generatedAt)}, from ${forMarkdown(source)}: ${requests.toLocaleString('en-US')} requests in ${duration(observedSeconds)}. Verdict: **${verdict}**${basisOf(advice, gates, shadow)}.`
  ]
  for (const [kind, title] of [['pattern', 'Key patterns'], ['route', 'Routes']] as const) {
    const rows = advice.filter((one) => one.kind === kind)
    if (rows.length === 0) continue
    parts.push(`## ${title}`, table([kind === 'route' ? 'Route' : HEAD[0]!, ...HEAD.slice(1)], rows.map((row) => rowOf(row).map(forMarkdown))))
    parts.push(...remediesOf(rows))
  }
  if (shadow.length > 0) parts.push('## Shadow reads', shadow.map(({ text }) => listItem(text)).join('\n'))
  if (gates.length > 0) {
    parts.push('## Go or no-go', table(['Gate', 'Value', 'Threshold', 'Verdict', 'Formula', 'Source'], gates.map((gate) =>
      [...[gate.name, gateValue(gate), gate.threshold, gate.verdict].map(forMarkdown), codeSpan(gate.formula), forMarkdown(gate.source)])))
  }
  if (arms !== undefined) parts.push(...armsText(arms))
  if (ledger !== undefined) parts.push(...ledgerText(ledger))
  if (plan !== undefined) {
    parts.push('## Plan', expectedText(plan), codeBlock('js', planText(plan)))
  }
  if (notes.length > 0) parts.push('## Notes', notes.map(listItem).join('\n'))
  return `${parts.join('\n\n')}\n`
}

/** Describes the verdicts from which the verdict of the report follows: those of the advice, of the gates and of shadow reads. */
function basisOf (advice: readonly Advice[], rows: readonly Gate[], shadow: readonly ShadowFinding[]): string {
  const stale = shadow.some(({ verdict }) => verdict === 'no-go') ? ', shadow reads: no-go' : ''
  return advice.length === 0 || rows.length === 0 ? '' : ` (advice: ${verdictOfAdvice(advice)}, gates: ${verdictOf(rows)}${stale})`
}

function rowOf (advice: Advice): string[] {
  const { name, requestsPerHour, meanSeconds, hitRate, margin, ttl, entries, priority } = advice
  const { memoryBytes, staleness, savedSecondsPerHour, verdict } = advice
  return [
    name,
    `${Math.round(requestsPerHour).toLocaleString('en-US')}/h`,
    meanSeconds === undefined ? '–' : seconds(meanSeconds),
    `${percent(hitRate)} ± ${Math.ceil(margin * 100)}`,
    duration(ttl),
    priority ?? '–',
    memoryBytes === undefined ? `${entries.toLocaleString('en-US')} entries` : bytes(memoryBytes),
    staleness === undefined ? '–' : staleUnknown(staleness) ? 'unknown' : `${per10000(staleness.rate)} (≤ ${Math.ceil(staleness.high * 10_000)})`,
    savedSecondsPerHour === undefined ? '–' : `${seconds(savedSecondsPerHour)}/h`,
    verdict
  ]
}

/** Describes what would change each verdict that is not good. */
function remediesOf (rows: readonly Advice[]): string[] {
  const items = rows.flatMap(({ name, judgement: { kind, remedy } }) => kind === 'good' || remedy === undefined ? [] : listItem(`${name}: ${remedy}`))
  return items.length === 0 ? [] : ['What would change the verdicts:', items.join('\n')]
}

function gateValue ({ value, unit }: Gate): string {
  if (value === undefined) return '–'
  if (unit === 'share') return percent(value)
  if (unit === 'seconds') return seconds(value)
  return `${Number(value.toPrecision(3)).toLocaleString('en-US')}${unit === 'count' ? '' : ` ${unit}`}`
}
