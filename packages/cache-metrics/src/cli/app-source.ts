import { Value } from 'typebox/value'
import type { Advice } from '../advisor/report/advice.js'
import { ADVICE_KINDS, type AdviceVerdict } from '../advisor/report/verdict-kinds.js'
import { verdictOfReport, type Report } from '../advisor/report/report.js'
import type { AppSource } from './sources.js'
import { AdvisorError } from './errors.js'
import { reportOfApps } from './joint-source.js'
import { reportSchema } from './report-schema.js'
import { ask, hintFor, pageOf, shown } from './server.js'

/** The advice in the advisor's report of a running app. An app of an older release sends the text of the verdict without `judgement`. */
type SentAdvice = Omit<Advice, 'judgement'> & {
  readonly judgement?: { readonly kind: string; readonly reason?: string; readonly remedy?: string }
}

/**
 * Fetches the advisor's report of a running app; for several apps, fetches their sampled accesses and makes one report of them.
 * @throws `CACHE_ERR_ADVISOR` if the app sends no report
 */
export async function reportOfApp ({ server, others }: AppSource, timeoutMs: number): Promise<Report> {
  if (others.length > 0) return reportOfApps([server, ...others], timeoutMs)
  const page = pageOf(server, '/internal/cache/advice')
  const { status, json } = await ask(page, server, timeoutMs)
  if (status !== 200) throw new AdvisorError(`${shown(page)} answers ${status}${hintFor(status, 'is @x/cache-metrics registered, and is the page exposed')}`)
  if (json === undefined) throw new AdvisorError(`${shown(page)} answers, but not with JSON: is it the app?`)
  const version = (json as { version?: unknown } | null)?.version
  if (typeof version === 'number' && version !== 1) throw new AdvisorError(`${shown(page)} sends a report of form ${version}, and this cache-advisor reads form 1: use that of the app's version`)
  if (!Value.Check(reportSchema, json)) throw new AdvisorError(`${shown(page)} answers, but not with a report: is it the app?`)
  const report = json as unknown as Omit<Report, 'advice'> & { readonly advice: readonly SentAdvice[] }
  const advice = report.advice.map((one): Advice => ({ ...one, judgement: judgementOf(one) }))
  // The verdict of the report is computed from its rows: an app of another release may send a verdict that the rows do not support.
  return { ...report, advice, verdict: verdictOfReport(advice, report.gates, report.shadow) }
}

/** Returns the verdict of one row of advice. An unknown kind of verdict, from an app of another release, counts as `not enough data`. */
function judgementOf ({ judgement, verdict }: SentAdvice): AdviceVerdict {
  const [text, ...rest] = verdict.split(': ')
  const { kind, reason, remedy } = judgement ?? { kind: text, reason: rest.length === 0 ? undefined : rest.join(': '), remedy: undefined }
  return { kind: ADVICE_KINDS.find((known) => known === kind) ?? 'not enough data', reason, remedy }
}
