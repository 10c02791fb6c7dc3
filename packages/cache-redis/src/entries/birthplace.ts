import { newToken } from './keys.js'

/** A token, and the fence of the master that it was made on. The pair is valid on that master only. */
export interface Captured { readonly token: string; readonly fence: string }

const RANDOM_CHARACTERS = 12
const FENCE_CHARACTERS = 8
/** Length of a fence, in characters. */
export const MAX_FENCE_LENGTH = FENCE_CHARACTERS
/** Length of a token without its fence, in characters, after a soft invalidation. */
export const MAX_TOKEN_LENGTH = RANDOM_CHARACTERS + 1 + RANDOM_CHARACTERS
const SHAPE = new RegExp(`^([\\w-]{${RANDOM_CHARACTERS}})([\\w-]{${FENCE_CHARACTERS}})(\\.[\\w-]{${RANDOM_CHARACTERS}})?$`)

/** A new token in its stored form: random characters, then the fence of the master that it is made on. */
export function writeToken (fence: string): string {
  return newToken() + fence
}

/** Whether a stored token has the form that this package writes. */
export function isOwn (text: string): boolean {
  return SHAPE.test(text)
}

/**
 * Parses a stored token. The part after a dot, which a soft invalidation writes, belongs to the token. A text of another form was
 * written by another program: it gets an empty fence, which no master has, so that it is replaced.
 */
export function readToken (text: string): Captured {
  const [, random, fence, soft = ''] = SHAPE.exec(text) ?? []
  return random === undefined || fence === undefined ? { token: text, fence: '' } : { token: random + soft, fence }
}

/** The fence as the script `cacheRenew` computes it. */
export function toHex (fence: string): string {
  return Buffer.from(fence, 'base64url').toString('hex')
}
