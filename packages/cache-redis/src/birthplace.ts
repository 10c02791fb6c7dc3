import { newToken } from './keys.js'

/** A token with the fence of the master that it was made on: together they are valid there alone. */
export interface Captured { readonly token: string; readonly fence: string }

const RANDOM_CHARACTERS = 12
const FENCE_CHARACTERS = 8

/** A new token as Redis has it: the random characters, then the fence of the master that it is made on. */
export function writeToken (fence: string): string {
  return newToken() + fence
}

/**
 * The parts of a token as Redis has it. A token that names no master has an empty fence, which is that of no master. The part
 * after a dot, of a soft invalidation, belongs to the token.
 */
export function readToken (text: string): Captured {
  const end = RANDOM_CHARACTERS + FENCE_CHARACTERS
  const fence = text.slice(RANDOM_CHARACTERS, end)
  return fence.length < FENCE_CHARACTERS || fence.includes('.')
    ? { token: text, fence: '' }
    : { token: text.slice(0, RANDOM_CHARACTERS) + text.slice(end), fence }
}

/** The fence as the script `cacheRenew` computes it. */
export function toHex (fence: string): string {
  return Buffer.from(fence, 'base64url').toString('hex')
}
