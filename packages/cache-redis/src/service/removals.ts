import type { EntryWriter } from '../entries/entry-writer.js'
import { GENERATION } from '../entries/keys.js'
import type { NearCache } from '../near/near-cache.js'
import type { TagTokens } from '../tags/tag-tokens.js'
import type { Removal } from './invalidation-queue.js'

/** Applies a removal to the tokens and copies that this process holds, before Redis has acknowledged it. */
export function applyHere (removal: Removal, tokens: TagTokens, near?: NearCache): void {
  switch (removal.kind) {
    case 'del': return near?.forget(removal.name)
    case 'clear':
      tokens.forget([GENERATION])
      return near?.clear()
    default: tokens.forget([removal.name])
  }
}

/** Sends a removal to Redis; resolves when Redis has acknowledged it. */
export async function sendRemoval (removal: Removal, tokens: TagTokens, writer: EntryWriter): Promise<void> {
  switch (removal.kind) {
    case 'tag': return tokens.invalidate(removal.name)
    case 'soft': return tokens.soften(removal.name)
    case 'clear': return tokens.invalidate(GENERATION)
    case 'del': return writer.remove(removal.name)
  }
}
