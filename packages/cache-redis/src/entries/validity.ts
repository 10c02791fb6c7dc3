import type { Node } from '../connection/node.js'
import type { TagTokens } from '../tags/tag-tokens.js'
import type { Captured } from './birthplace.js'
import type { Decoded } from './codec.js'
import type { EntryTag } from './frame.js'

/** The verdict on a token or an entry. `stale`: after a soft invalidation, or past the ttl of the entry. `gone`: it must not be served. */
export type Verdict = 'fresh' | 'stale' | 'gone'

/** Where an entry lies: its name, the fence of its generation, and the master that answered. */
export interface Place { readonly name: string; readonly fence: string; readonly node: Node | undefined }

/** Tokens that were asked for at the same time as the entry, by tag. */
export type AskedTokens = ReadonlyMap<string, Promise<Captured | undefined>>

/** The reply of PTTL for a key that does not exist. */
const NO_KEY = -2

/** Decides whether a stored entry may be served: the one place that compares tokens, fences and times. */
export class Validity {
  readonly #tokens: TagTokens

  constructor (tokens: TagTokens) {
    this.#tokens = tokens
  }

  /**
   * The verdict on an entry. Without a promise where the remembered tokens prove it, since that is the usual read.
   *
   * @param leftMs reply of PTTL; `undefined` if Redis was not asked
   * @param asked tokens that were asked for already; the others are asked for here where memory proves nothing
   */
  judge (place: Place, { ownFence, windowMs, tags }: Decoded, leftMs: number | undefined, asked: AskedTokens): Verdict | Promise<Verdict> {
    // The entry must lie on the master that stored it, in the same life: another may have lost the removal of the entry.
    if (leftMs === NO_KEY || place.node?.fence !== (ownFence ?? place.fence)) return 'gone'
    const byTime = leftMs !== undefined && windowMs > 0 && leftMs <= windowMs ? 'stale' : 'fresh'
    return asked.size === 0 && this.#tokens.proves(tags) ? byTime : this.#ask(tags, asked, byTime)
  }

  /** Whether each token is the current one: memory proves it, else all of them are asked for, in one round trip. */
  async areCurrent (tags: readonly EntryTag[]): Promise<boolean> {
    return this.#tokens.proves(tags) || await this.#ask(tags, NONE_ASKED, 'fresh') === 'fresh'
  }

  async #ask (tags: readonly EntryTag[], asked: AskedTokens, best: Verdict): Promise<Verdict> {
    let verdict = best
    const unsure = tags.filter((stored) => asked.has(stored.tag) || !this.#tokens.proves([stored]))
    const current = await Promise.all(unsure.map(({ tag }) => asked.get(tag) ?? this.#tokens.ask(tag)))
    for (const [at, stored] of unsure.entries()) {
      const each = judgeToken(stored, current[at])
      if (each === 'gone') return each
      if (each === 'stale') verdict = each
    }
    return verdict
  }
}

/** No token was asked for at the same time as the entry. */
export const NONE_ASKED: AskedTokens = new Map()

/** The verdict on the token of an entry, from the token that Redis has now; `undefined`: Redis has none. */
export function judgeToken (stored: Captured, current: Captured | undefined): Verdict {
  if (current === undefined || current.fence !== stored.fence) return 'gone'
  if (current.token === stored.token) return 'fresh'
  return hardPart(current.token) === hardPart(stored.token) ? 'stale' : 'gone'
}

/** The part of a token that a soft invalidation leaves as it is. */
function hardPart (token: string): string {
  const dot = token.indexOf('.')
  return dot < 0 ? token : token.slice(0, dot)
}
