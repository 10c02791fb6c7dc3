/** One of several. */
export type Random = <T>(choices: readonly T[]) => T

/** The same choices in every run (mulberry32), so that a failure can be looked at again. */
export function seeded (seed: number): Random {
  return (choices) => {
    seed = (seed + 0x6d2b79f5) | 0
    let hash = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    hash = (hash + Math.imul(hash ^ (hash >>> 7), 61 | hash)) ^ hash
    return choices[((hash ^ (hash >>> 14)) >>> 0) % choices.length]!
  }
}
