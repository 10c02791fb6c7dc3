import { percent } from '../advisor/report/figures.js'
import { asciiJson, forMarkdown, printable } from '../advisor/report/escape.js'
import { verdictOf } from '../advisor/report/go-no-go-gates.js'
import { duration, seconds, table } from '../advisor/report/figures.js'
import { planText } from '../advisor/report/plan-text.js'
import { toMarkdown, type Report } from '../advisor/report/report.js'
import type { Command } from './arguments.js'
import { toText } from './plain-text.js'
import type { MeasuredPattern, PrometheusReport } from './prometheus-source.js'
import type { SentRollout } from './rollout-source.js'
import { rolloutGates } from './rollout-text.js'
import type { TraceReport } from './trace-source.js'

/**
 * The advisor's report, with the further numbers of its source: points of a reuse curve, measured key patterns, or the stage of a canary.
 */
export type Findings = Report & Partial<Pick<TraceReport, 'points'> & Pick<PrometheusReport, 'measured'>> & { readonly rollout?: StageFindings | undefined }

/** The stage of a canary with its criteria and their verdicts. */
export type StageFindings = Pick<SentRollout, 'percent' | 'gates' | 'verdict' | 'reason'>

/** Returns the text that a command of `cache-advisor` prints. */
export function show ({ name, format }: Command, findings: Findings): string {
  if (format === 'json') return `${asciiJson(JSON.stringify(dataOf(name, findings), undefined, 2))}\n`
  if (name === 'plan') return findings.plan === undefined ? '' : printable(`${planText(findings.plan)}\n`)
  const markdown = name === 'gates'
    ? toMarkdown({ ...findings, verdict: verdictOf(findings.gates), advice: [], plan: undefined, shadow: [] }) + stageOf(findings)
    : toMarkdown(findings) + extrasOf(findings)
  return printable(format === 'text' ? toText(markdown) : markdown)
}

function dataOf (name: Command['name'], findings: Findings): unknown {
  if (name === 'report') return findings
  if (name === 'plan') return findings.plan ?? null
  const { generatedAt, source, observedSeconds, gates, notes, rollout } = findings
  const { percent, verdict, reason, gates: stageGates } = rollout ?? {}
  const stage = rollout === undefined ? {} : { rollout: { percent, verdict, reason, gates: stageGates } }
  return { generatedAt, source, observedSeconds, verdict: verdictOf(gates), gates, ...stage, notes }
}

function stageOf ({ rollout }: Findings): string {
  return rollout === undefined ? '' : rolloutGates(rollout).map((part) => `\n${part}\n`).join('')
}

function extrasOf ({ requests, points = [], measured = [] }: Findings): string {
  const parts: string[] = []
  if (requests > 0 && points.length > 0) {
    const sizes = [...new Set(points.map(({ entries }) => entries))]
    const rows = [...new Set(points.map(({ ttl }) => ttl))].map((ttl) =>
      [duration(ttl), ...points.filter((point) => point.ttl === ttl).map(({ hitRate }) => `${(hitRate * 100).toFixed(1)} %`)])
    parts.push('## Hit rate of all keys together', table(['TTL', ...sizes.map((size) => `${size.toLocaleString('en-US')} entries`)], rows))
  }
  if (measured.length > 0) {
    parts.push('## Measured', table(['Key Pattern', 'Access Freq', 'Avg Load Time', 'Hit Rate', 'Saves'], measured.map(rowOf)))
  }
  return parts.map((part) => `\n${part}\n`).join('')
}

function rowOf ({ name, readsPerHour, meanLoadSeconds, hitRate, savedSecondsPerHour }: MeasuredPattern): string[] {
  return [
    forMarkdown(name),
    `${Math.round(readsPerHour).toLocaleString('en-US')}/h`,
    meanLoadSeconds === undefined ? '–' : seconds(meanLoadSeconds),
    hitRate === undefined ? 'observed only' : percent(hitRate),
    savedSecondsPerHour === undefined ? '–' : `${seconds(savedSecondsPerHour)}/h`
  ]
}
