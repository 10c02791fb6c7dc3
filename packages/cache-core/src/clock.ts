/** A monotonic clock in milliseconds: `performance` is one; tests move their own. */
export interface Clock { now (): number }

/** The process's monotonic clock. */
export const monotonicClock: Clock = performance
