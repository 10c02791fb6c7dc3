import type { Span } from './trace-time.js'

/** The findings on a key pattern or route that a new release of the app can make untrue: a leak, noise, and a change by storing. */
export const FINDINGS = ['leak', 'isNoise', 'change'] as const

export type Finding = typeof FINDINGS[number]

/** For each finding, the span of the process that decided it; absent: no process has decided it. */
export type Decided = Readonly<Partial<Record<Finding, Span>>>
