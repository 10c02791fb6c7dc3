import type { Node } from '../connection/node.js'
import type { TagTokens } from '../tags/tag-tokens.js'
import type { BoundToken } from './bound-token.js'
import type { Decoded } from './codec.js'
import type { EntryTag } from './frame.js'

/**
 * The verdict on whether a token or an entry is valid. `stale`: after a soft invalidation, or past the ttl of the entry. `gone`: must not
 * be served.
 */
export type ValidityVerdict = 'fresh' | 'stale' | 'gone'

/** The place of an entry in Redis: its Redis key, its generation, and the master that answered. */
export interface Place { readonly name: string; readonly generation: BoundToken; readonly node: Node | undefined }

/** The pending reads of tokens that were sent together with the read of the entry, by tag. */
export type AskedTokens = ReadonlyMap<string, Promise<BoundToken | undefined>>

/** The reply of PTTL for a Redis key that does not exist. */
const NO_KEY = -2

/**
 * Decides whether a stored entry may be served, by its tokens, its server identity and its times. `TagTokens.proves` is the short cut for an
 * entry whose tokens are all remembered.
 */
export class Validity {
  readonly #tokens: TagTokens

  constructor (tokens: TagTokens) {
    this.#tokens = tokens
  }

  /**
   * Returns whether an entry may be served. The verdict is no promise if the remembered tokens prove it, so that the usual read is fast.
   *
   * @param leftMs reply of PTTL; `undefined` if PTTL was not sent
   * @param asked tokens that are already being read; other tokens are read here unless remembered tokens prove that they are current
   */
  judge (
    place: Place, { ownServerId, windowMs, tags }: Decoded, leftMs: number | undefined, asked: AskedTokens
  ): ValidityVerdict | Promise<ValidityVerdict> {
    // The entry must be on the master that stored it, and the master must not have restarted since then: another master, or a restarted
    // one, may lack the removal of the entry.
    if (leftMs === NO_KEY || place.node?.serverId !== (ownServerId ?? place.generation.serverId)) return 'gone'
    const byTime = leftMs !== undefined && windowMs > 0 && leftMs <= windowMs ? 'stale' : 'fresh'
    return asked.size === 0 && this.#tokens.proves(tags) ? byTime : this.#ask(tags, asked, byTime)
  }

  /** Whether each token of an entry is the current one; tokens that no remembered token proves are read in one round trip. */
  async areCurrent (tags: readonly EntryTag[]): Promise<boolean> {
    return this.#tokens.proves(tags) || await this.#ask(tags, NONE_ASKED, 'fresh') === 'fresh'
  }

  async #ask (tags: readonly EntryTag[], asked: AskedTokens, best: ValidityVerdict): Promise<ValidityVerdict> {
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

/** An empty map, for a read that requests no tokens together with the entry. */
export const NONE_ASKED: AskedTokens = new Map()

/** Judges the token of an entry by the token that Redis has now; `undefined`: Redis has no such token. */
export function judgeToken (stored: BoundToken, current: BoundToken | undefined): ValidityVerdict {
  if (current === undefined || current.serverId !== stored.serverId) return 'gone'
  if (current.token === stored.token) return 'fresh'
  return hardPart(current.token) === hardPart(stored.token) ? 'stale' : 'gone'
}

/** The part of a token before the dot, which a soft invalidation does not change. */
function hardPart (token: string): string {
  const dot = token.indexOf('.')
  return dot < 0 ? token : token.slice(0, dot)
}
