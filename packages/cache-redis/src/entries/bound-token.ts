import { newToken } from './keys.js'

/** A token, and the identity of the master that it was made on. The pair is valid on that master only. */
export interface BoundToken { readonly token: string; readonly serverId: string }

const RANDOM_CHARACTERS = 12
const SERVER_ID_CHARACTERS = 8
/** The length of a server identity in a stored token, in characters. */
export const MAX_SERVER_ID_LENGTH = SERVER_ID_CHARACTERS
/** The maximum length of a token without its server identity, in characters: the length of a token after a soft invalidation. */
export const MAX_TOKEN_LENGTH = RANDOM_CHARACTERS + 1 + RANDOM_CHARACTERS
const SHAPE = new RegExp(`^([\\w-]{${RANDOM_CHARACTERS}})([\\w-]{${SERVER_ID_CHARACTERS}})(\\.[\\w-]{${RANDOM_CHARACTERS}})?$`)

/** Returns a new token in its stored form: random characters, then the identity of the master that it is made on. */
export function writeToken (serverId: string): string {
  return newToken() + serverId
}

/** Whether a stored token has the form that this package writes. */
export function isOwn (text: string): boolean {
  return SHAPE.test(text)
}

/**
 * Parses a stored token. The part after a dot, which a soft invalidation writes, belongs to the token. A text of another form was written
 * by foreign software; its token gets an empty server identity, which no master has, so that the token is replaced.
 */
export function readToken (text: string): BoundToken {
  const [, random, serverId, soft = ''] = SHAPE.exec(text) ?? []
  return random === undefined || serverId === undefined ? { token: text, serverId: '' } : { token: random + soft, serverId }
}

/** A server identity in hexadecimal form, as the script `cacheRenew` computes it. */
export function toHex (serverId: string): string {
  return Buffer.from(serverId, 'base64url').toString('hex')
}
