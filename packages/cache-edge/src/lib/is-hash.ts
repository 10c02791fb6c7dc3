import { createHash } from 'node:crypto'

/** Whether the crypto module of Node has a hash function with this name. */
export function isHash (name: string): boolean {
  // The only reliable check is to call `createHash`, since `getHashes()` lacks other spellings that `createHash` accepts, such as SHA256.
  try {
    createHash(name)
    return true
  } catch {
    return false
  }
}
