import type { SampledKeys } from '../curve/key-sample.js'
import { HASHES } from '../hash.js'
import { isDisprovedByKeys, isOutdated } from '../key-leak/leak-evidence.js'
import type { MissingDimension } from '../report/observation.js'
import type { MeasuredNumbers, SubjectState } from './advice-state.js'
import type { Finding } from './findings.js'
import type { Span } from './trace-time.js'

/** For each finding, whether the present process has observed enough to decide it without the findings of earlier processes. */
export type Decides = Readonly<Record<Finding, boolean>>

/** One state's part on a key pattern or route. `from`, `until`: the beginning and the end of the state, in milliseconds since 1970. */
interface Found { readonly subject: SubjectState; readonly from: number; readonly until: number }

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
 * Returns the numbers of several states without the findings of processes that have ended, if a later process has decided them. A leak ends
 * only by new keys, since another process may have compared many requests of one user.
 */
export function withoutSuperseded (all: readonly Found[]): MeasuredNumbers[] {
  const nothing = { isNoise: false, change: undefined, staleness: [], provenTtl: undefined }
  return all.map((one) => {
    const { numbers } = one.subject
    const isOld = (finding: Finding): boolean =>
      all.some(({ subject }) => isBefore(spanOf(one, finding), subject.numbers.decided?.[finding]))
    const leak = leaksOf(numbers).find((each) => !isDisproved(each, one, all))
    return replaceDecided(numbers, { ...numbers, ...nothing, leak }, {
      leak: leak !== numbers.leak,
      isNoise: isOld('isNoise'),
      change: isOld('change')
    })
  })
}

/**
 * Whether a leak of a process that has ended is outdated, or disproved by the processes that began after it: they have requested none of
 * its keys, and have not found the leak themselves.
 */
function isDisproved (leak: MissingDimension, one: Found, all: readonly Found[]): boolean {
  const span = spanOf(one, 'leak')
  if (isOutdated(span[1], Math.max(...all.map(({ until }) => until)))) return true
  const later = all.filter((other) => other !== one && isBefore(span, [other.from, other.until])).map(({ subject }) => subject)
  if (later.some(({ numbers }) => leaksOf(numbers).some(({ dimension }) => dimension === leak.dimension))) return false
  // All samples are complete below the smallest limit.
  const earlier = one.subject.leakKeys ?? one.subject.keys
  const limit = Math.min(earlier.limit, ...later.map(({ keys }) => keys.limit))
  const earlierKeys = hashesBelow(limit, [earlier])
  const keys = hashesBelow(limit, later.map((subject) => subject.keys))
  if ([...keys].some((hash) => earlierKeys.has(hash))) return false
  const requests = later.reduce((sum, { numbers }) => sum + numbers.requests, 0)
  return isDisprovedByKeys(leak, { sampled: requests * limit / HASHES, keys: keys.size, earlierKeys: earlierKeys.size, limit })
}

function hashesBelow (limit: number, samples: readonly SampledKeys[]): Set<number> {
  return new Set(samples.flatMap(({ once, more }) => [...once, ...more].filter((hash) => hash < limit)))
}

/** Returns the span of the process that made a finding. In a state without spans of findings, the finding is as late as the state. */
function spanOf ({ subject, until }: Found, finding: Finding): Span {
  return subject.numbers.decided?.[finding] ?? [until, until]
}

/** Whether a process had ended, or ended shortly after, when the other one began. */
function isBefore ([, end]: Span, later: Span | undefined): boolean {
  return later !== undefined && end <= later[0] + OVERLAP_MS && end + OVERLAP_MS < later[1]
}
