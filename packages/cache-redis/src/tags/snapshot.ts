import type { TagSnapshot } from '@x/cache-core'
import type { BoundToken } from '../entries/bound-token.js'
import type { EntryTag } from '../entries/frame.js'
import { GENERATION } from '../entries/keys.js'

/** The snapshot of tags that `capture` returns: the token of the generation, and the tokens of the tags. */
export class RedisSnapshot implements TagSnapshot {
  constructor (readonly generation: BoundToken, readonly tags: ReadonlyMap<string, BoundToken>) {}
}

/** Returns all tokens of a snapshot of tags, beginning with that of the generation. */
export function tokensOf ({ generation, tags }: RedisSnapshot): EntryTag[] {
  return [{ tag: GENERATION, ...generation }, ...[...tags].map(([tag, captured]) => ({ tag, ...captured }))]
}
