/** A function that returns one of the given choices at random. */
export type Random = <T>(choices: readonly T[]) => T

/** Returns a function that makes the same choices in every run (mulberry32), so that a failure can be reproduced. */
export function seeded (seed: number): Random {
  return (choices) => {
    seed = (seed + 0x6d2b79f5) | 0
    let hash = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    hash = (hash + Math.imul(hash ^ (hash >>> 7), 61 | hash)) ^ hash
    return choices[((hash ^ (hash >>> 14)) >>> 0) % choices.length]!
  }
}
