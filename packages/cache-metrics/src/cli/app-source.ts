import { Value } from 'typebox/value'
import { verdictOfReport, type Report } from '../advisor/report/report.js'
import type { AppSource } from './arguments.js'
import { AdvisorError } from './errors.js'
import { reportSchema } from './report-schema.js'
import { ask, pageOf, shown } from './server.js'

/** What the app itself advises. */
export async function reportOfApp ({ server }: AppSource, timeoutMs: number): Promise<Report> {
  const page = pageOf(server, '/internal/cache/advice')
  const { status, json } = await ask(page, server, timeoutMs)
  if (status !== 200) throw new AdvisorError(`${shown(page)} answers ${status}${hintFor(status)}`)
  if (json === undefined) throw new AdvisorError(`${shown(page)} answers, but not with JSON: is it the app?`)
  const version = (json as { version?: unknown } | null)?.version
  if (typeof version === 'number' && version !== 1) throw new AdvisorError(`${shown(page)} sends a report of form ${version}, and this cache-advisor reads form 1: use that of the app's version`)
  if (!Value.Check(reportSchema, json)) throw new AdvisorError(`${shown(page)} answers, but not with a report: is it the app?`)
  const report = json as unknown as Report
  // Of its rows: an app of another release may put a verdict above them that they do not carry.
  return { ...report, verdict: verdictOfReport(report.advice, report.gates) }
}

function hintFor (status: number): string {
  if (status === 401 || status === 403) return ': give what its guard wants with --header'
  if (status === 404) return ': is @x/cache-metrics registered, and is the page exposed where NODE_ENV is neither development nor test?'
  if (status >= 300 && status < 400) return ', a redirect: give the address that it leads to'
  return ''
}
