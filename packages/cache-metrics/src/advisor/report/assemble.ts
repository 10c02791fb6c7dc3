import type { ArmsReport } from '../../traffic/arms.js'
import { advise, type Wishes } from './advice.js'
import { gates, MIN_OBSERVED_SECONDS, type GateNumbers } from './go-no-go-gates.js'
import type { Observation } from './observation.js'
import { planFor } from './plan.js'
import { staleUnknown, verdictOfReport, type Report } from './report.js'
import type { ShadowFinding } from './shadow.js'

/** The measured numbers from which the report of an app, or of several processes of an app, is made. */
export interface ReportParts {
  readonly source: string
  readonly observations: readonly Observation[]
  readonly numbers: GateNumbers
  readonly shadow: readonly ShadowFinding[]
  readonly arms?: ArmsReport | undefined
  readonly notes: readonly string[]
}

/** The limits that an operator sets for a report; `minDays`: days of observation before a gate has a verdict, 7 by default. */
export interface ReportWishes extends Wishes { readonly minDays?: number | undefined }

/** Makes the advisor's report from measured numbers. */
export function reportOf ({ source, observations, numbers, shadow, arms, notes }: ReportParts, wishes: ReportWishes): Report {
  const advice = advise(observations, wishes)
  const { minDays } = wishes
  const rows = gates(numbers, minDays === undefined ? MIN_OBSERVED_SECONDS : minDays * 86_400)
  const unknown = advice.filter(({ judgement, staleness }) => judgement.kind === 'good' && staleUnknown(staleness)).length
  return {
    version: 1,
    generatedAt: new Date().toISOString(),
    source,
    observedSeconds: numbers.seconds,
    requests: numbers.requests,
    verdict: verdictOfReport(advice, rows, shadow),
    advice,
    gates: rows,
    plan: planFor(advice),
    arms,
    ...shadow.length === 0 ? {} : { shadow },
    notes: [
      ...notes,
      ...numbers.seconds < 3600 ? ['Observed for less than an hour: keys that come again later are not in the hit rates.'] : [],
      ...unknown > 0 ? [`${unknown} of what is good has hits whose staleness is unknown: the observation has to last several of its ttls. Until then good is said of the hits alone.`] : []
    ]
  }
}
