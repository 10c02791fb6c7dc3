import { randomBytes } from 'node:crypto'

/** The letters between the key prefix and the name of a tag, an entry or a lock; each letter denotes one kind of key or channel. */
export const KINDS: ReadonlySet<string> = new Set(['t', 'e', 'l', 'f', 'd', 'u'])

/**
 * The names of all keys and channels of the cache in Redis. `p` is the key prefix:
 *
 * - `p` + `g`: the generation, a random token
 * - `p` + `t:` + tag: the token of a tag
 * - `p` + `e:` + generation + `:` + key: an entry
 * - `p` + `l:` + `{` + key in base64url + `}`: a lock; with `f:` its fencing counter, with `d:` the last holder that dismissed its waiters,
 *   with `u:` the channel that its release is published on
 * - `p` + `n`: the channel that announces invalidations
 * - `p` + `{rollout}:` + name: what the processes share about the rollout; `clear` does not remove these keys
 * - `p` + `{advice}:` + name: the states of the advisors of `@x/cache-metrics`; `clear` does not remove them either
 */
export class Keys {
  readonly generation: string
  readonly tags: string
  readonly entries: string
  readonly channel: string
  readonly #prefix: string

  constructor (prefix: string) {
    this.#prefix = prefix
    this.generation = `${prefix}g`
    this.tags = `${prefix}t:`
    this.entries = `${prefix}e:`
    this.channel = `${prefix}n`
  }

  entry (generation: string, key: string): string {
    return `${this.entries}${generation}:${key}`
  }

  token (tag: string): string {
    return tag === GENERATION ? this.generation : `${this.tags}${tag}`
  }

  /** The tag whose token a Redis key holds; `undefined` for all other Redis keys. */
  tagOf (key: string): string | undefined {
    if (key === this.generation) return GENERATION
    return key.startsWith(this.tags) ? key.slice(this.tags.length) : undefined
  }

  /** The cache key of the entry that a Redis key holds, in any generation; `undefined` for all other Redis keys. */
  keyOf (name: string): string | undefined {
    if (!name.startsWith(this.entries)) return undefined
    const at = name.indexOf(':', this.entries.length)
    return at < 0 ? undefined : name.slice(at + 1)
  }

  // All keys of a lock must have one Cluster slot: the hash tag is the lock's key in base64url, which contains no brace.
  lock (key: string): LockKeys {
    const name = `{${Buffer.from(key).toString('base64url')}}`
    return {
      lock: `${this.#prefix}l:${name}`,
      fencingCounter: `${this.#prefix}f:${name}`,
      dismissed: `${this.#prefix}d:${name}`,
      channel: `${this.#prefix}u:${name}`
    }
  }

  // The hash tag gives all keys of the rollout one Cluster slot. If the key prefix has a hash tag, that one comes first, with the same
  // effect.
  get rollout (): RolloutKeys {
    const prefix = `${this.#prefix}{rollout}:`
    return {
      state: `${prefix}state`,
      history: `${prefix}history`,
      lease: `${prefix}lease`,
      evidence: `${prefix}evidence`,
      channel: `${prefix}changed`,
      report: (minute) => `${prefix}report:${minute}`
    }
  }

  get advice (): AdviceKeys {
    const prefix = `${this.#prefix}{advice}:`
    return { salt: `${prefix}salt`, lease: (slot) => `${prefix}lease:${slot}`, state: (slot) => `${prefix}state:${slot}` }
  }
}

/** The Redis keys of the advisors' states. */
export interface AdviceKeys {
  readonly salt: string
  lease (slot: number): string
  state (slot: number): string
}

/** The Redis keys and the channel of the rollout. */
export interface RolloutKeys {
  readonly state: string
  readonly history: string
  readonly lease: string
  readonly evidence: string
  /** The channel on which a process announces that it has replaced the state document of the rollout. */
  readonly channel: string
  /** Returns the Redis key of the counts that all processes stored for one minute of the rollout. */
  report (minute: number): string
}

/** The Redis keys and the channel of one lock. */
export interface LockKeys {
  readonly lock: string
  readonly fencingCounter: string
  readonly dismissed: string
  readonly channel: string
}

/** The name under which the token of the generation is handled like that of a tag: the empty text, which is no valid tag. */
export const GENERATION = ''

/** Returns a new token of 72 random bits, so that the same token does not occur twice. */
export function newToken (): string {
  return randomBytes(9).toString('base64url')
}
