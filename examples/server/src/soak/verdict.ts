import type { Usage } from './usage.js'

/** The usage of one process during the run, sampled at equal intervals. */
export type Samples = readonly Usage[]

/**
 * The comparison of two parts of a run: `before` is the second quarter, when caches and compiled code have grown, and `after` is the last
 * quarter.
 */
export interface Growth { name: string; before: number; after: number; isFlat: boolean }

/** The minimum number of samples: with fewer samples a quarter of the run has too few of them. */
const MIN_SAMPLES = 20
/** The bytes by which the size of the heap varies from sample to sample without growth. */
const HEAP_NOISE = 4 * 1024 * 1024
const HANDLE_NOISE = 4
const ALLOWED_GROWTH = 0.1

/** Returns whether memory and handles of a process have stayed the same; `undefined`: the run was too short for a verdict. */
export function growthOf (samples: Samples): Growth[] | undefined {
  if (samples.length < MIN_SAMPLES) return undefined
  const total = ({ handles }: Usage): number => Object.values(handles).reduce((sum, count) => sum + count, 0)
  return [
    compare('heap', samples.map(({ heapBytes }) => heapBytes), HEAP_NOISE),
    compare('handles', samples.map(total), HANDLE_NOISE)
  ]
}

function compare (name: string, values: readonly number[], noise: number): Growth {
  const quarter = values.length / 4
  const before = median(values.slice(Math.floor(quarter), Math.floor(2 * quarter)))
  const after = median(values.slice(Math.floor(3 * quarter)))
  return { name, before, after, isFlat: after - before <= Math.max(noise, before * ALLOWED_GROWTH) }
}

function median (values: readonly number[]): number {
  return [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)]!
}
