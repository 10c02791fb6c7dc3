import type { Result } from './result.js'

/** Reads without a promise: what an implementation that keeps its values in this process may offer. */
export const readNow = Symbol.for('@x/cache-core.readNow')

/** An implementation whose calls have taken effect by the time they return; it may still answer with a promise. */
export interface Immediate { [readNow]<T> (key: string): Result<T | null> }
