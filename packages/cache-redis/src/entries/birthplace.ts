import { newToken } from './keys.js'

/** A token with the fence of the master that it was made on: together they are valid there alone. */
export interface Captured { readonly token: string; readonly fence: string }

const RANDOM_CHARACTERS = 12
const FENCE_CHARACTERS = 8
/** Characters of a fence. */
export const MAX_FENCE_LENGTH = FENCE_CHARACTERS
/** Characters of a token without its fence, after a soft invalidation. */
export const MAX_TOKEN_LENGTH = RANDOM_CHARACTERS + 1 + RANDOM_CHARACTERS
const SHAPE = new RegExp(`^([\\w-]{${RANDOM_CHARACTERS}})([\\w-]{${FENCE_CHARACTERS}})(\\.[\\w-]{${RANDOM_CHARACTERS}})?$`)

/** A new token as Redis has it: the random characters, then the fence of the master that it is made on. */
export function writeToken (fence: string): string {
  return newToken() + fence
}

/** Whether a token has the shape of this package's own. */
export function isOwn (text: string): boolean {
  return SHAPE.test(text)
}

/**
 * The parts of a token as Redis has it. The part after a dot, of a soft invalidation, belongs to the token. A text of another shape was
 * written by another: it has an empty fence, which is that of no master, so that it is replaced.
 */
export function readToken (text: string): Captured {
  const [, random, fence, soft = ''] = SHAPE.exec(text) ?? []
  return random === undefined || fence === undefined ? { token: text, fence: '' } : { token: random + soft, fence }
}

/** The fence as the script `cacheRenew` computes it. */
export function toHex (fence: string): string {
  return Buffer.from(fence, 'base64url').toString('hex')
}
