import { disproves } from '../key-leak/leak-evidence.js'
import type { MissingDimension } from '../report/observation.js'
import type { MeasuredNumbers } from './advice-state.js'
import type { Finding } from './findings.js'
import type { Span } from './trace-time.js'

/** For each finding, whether the present process has observed enough to decide it without the findings of earlier processes. */
export type Decides = Readonly<Record<Finding, boolean>>

/** The findings of one state on a key pattern or route. `until`: the end of the state, in milliseconds since 1970. */
interface Found { readonly numbers: MeasuredNumbers; readonly until: number }

/**
 * The milliseconds by which the processes before and after a deployment may overlap. It is also the time after which a process that has not
 * written its state counts as ended, so it is the time of two writes.
 */
const OVERLAP_MS = 10 * 60_000

/** Returns all leaks in the numbers of a state, first the one that is reported. */
export function leaksOf ({ leak, otherLeaks = [] }: MeasuredNumbers): MissingDimension[] {
  return leak === undefined ? [] : [leak, ...otherLeaks]
}

/**
 * Returns the numbers of a process that continues earlier ones: a finding that it decides replaces the earlier finding. The stale hits of
 * values that differed by a leak or by noise are replaced together with that finding.
 */
export function replaceDecided (joined: MeasuredNumbers, own: MeasuredNumbers, decides: Decides): MeasuredNumbers {
  const { leak, isNoise, change, staleness, provenTtl } = own
  const hadLeak = decides.leak && joined.leak !== undefined && leak === undefined
  const wasNoise = decides.isNoise && joined.isNoise && !isNoise
  return {
    ...joined,
    ...hadLeak || wasNoise ? { staleness, provenTtl } : {},
    ...decides.leak ? { leak } : {},
    ...decides.isNoise ? { isNoise } : {},
    ...decides.change ? { change } : {}
  }
}

/**
 * Returns the numbers of several states without the findings of processes that have ended, if a later process has decided them. A leak needs
 * evidence on its own dimension, since another process may have compared many requests of one user.
 */
export function withoutSuperseded (all: readonly Found[]): MeasuredNumbers[] {
  const nothing = { isNoise: false, change: undefined, staleness: [], provenTtl: undefined }
  return all.map((one) => {
    const isOld = (finding: Finding): boolean => all.some(({ numbers: { decided } }) => isBefore(spanOf(one, finding), decided?.[finding]))
    const span = spanOf(one, 'leak')
    const leak = leaksOf(one.numbers).find((each) => !isDisproved(each, span, all))
    return replaceDecided(one.numbers, { ...one.numbers, ...nothing, leak }, {
      leak: leak !== one.numbers.leak,
      isNoise: isOld('isNoise'),
      change: isOld('change')
    })
  })
}

/** Whether a later process has evidence against a leak of the process with this span, which has ended. */
function isDisproved (leak: MissingDimension, span: Span, all: readonly Found[]): boolean {
  return all.some(({ numbers: { evidence = [] } }) => evidence.some((each) => isBefore(span, each.span) && disproves(leak, each)))
}

/** Returns the span of the process that made a finding. In a state without spans of findings, the finding is as late as the state. */
function spanOf ({ numbers, until }: Found, finding: Finding): Span {
  return numbers.decided?.[finding] ?? [until, until]
}

/** Whether a process had ended, or ended shortly after, when the other one began. */
function isBefore ([, end]: Span, later: Span | undefined): boolean {
  return later !== undefined && end <= later[0] + OVERLAP_MS && end + OVERLAP_MS < later[1]
}
