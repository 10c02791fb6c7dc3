import { randomBytes } from 'node:crypto'

/**
 * The names of all that the cache keeps in Redis. `p` is the key prefix:
 *
 * - `p` + `g`: the generation, a random token
 * - `p` + `t:` + tag: the token of a tag
 * - `p` + `e:` + generation + `:` + key: an entry
 * - `p` + `l:` + key: a lock, and `p` + `f:` + key its fencing counter
 * - `p` + `n`: the channel that announces invalidations
 */
export class Keys {
  readonly generation: string
  readonly tags: string
  readonly channel: string
  readonly #prefix: string

  constructor (prefix: string) {
    this.#prefix = prefix
    this.generation = `${prefix}g`
    this.tags = `${prefix}t:`
    this.channel = `${prefix}n`
  }

  entry (generation: string, key: string): string {
    return `${this.#prefix}e:${generation}:${key}`
  }

  token (tag: string): string {
    return tag === GENERATION ? this.generation : `${this.tags}${tag}`
  }

  /** The tag whose token a key holds; `undefined` for all other keys. */
  tagOf (key: string): string | undefined {
    if (key === this.generation) return GENERATION
    return key.startsWith(this.tags) ? key.slice(this.tags.length) : undefined
  }

  // Both keys of a lock must lie in one slot: the hash tag is the lock's own name, in which no brace is left.
  lock (key: string): { lock: string; fence: string; channel: string } {
    const name = `{${Buffer.from(key).toString('base64url')}}`
    return { lock: `${this.#prefix}l:${name}`, fence: `${this.#prefix}f:${name}`, channel: `${this.#prefix}u:${name}` }
  }
}

/** Stands for the generation where tags are named: no tag is empty. */
export const GENERATION = ''

/** 72 random bits: no token ever comes back. */
export function newToken (): string {
  return randomBytes(9).toString('base64url')
}
