import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import type { AdviceState } from '../accesses/advice-state.js'
import { MAX_STATE_LENGTH, parseState, stateText } from '../accesses/state-text.js'

const compress = promisify(gzip)
const decompress = promisify(gunzip)

/** Returns the advisor's state as bytes for a store. */
export async function packState (state: AdviceState): Promise<Uint8Array> {
  // The lowest compression level is used, since most of the text is hashes, which no level makes shorter.
  return compress(stateText(state), { level: 1 })
}

/**
 * Reads a state from bytes that a store returned.
 * @param own the salt and the cache sizes of this process, which the state must have
 * @returns the state, or the reason why it is not used
 */
export async function unpackState (bytes: Uint8Array, own: Pick<AdviceState, 'saltName' | 'entries'>): Promise<AdviceState | string> {
  let text: string
  try {
    text = (await decompress(bytes, { maxOutputLength: MAX_STATE_LENGTH })).toString()
  } catch {
    return 'it is damaged'
  }
  const state = parseState(text)
  return typeof state === 'string' ? state : foreign(state, own) ?? state
}

/** Returns the reason why the accesses of a state cannot be simulated together with others; `undefined`: they can. */
export function foreign (state: AdviceState, own: Pick<AdviceState, 'saltName' | 'entries'>): string | undefined {
  if (state.saltName !== own.saltName) return 'its keys have another salt'
  const sizes = (entries: readonly number[]): string => [...entries].sort((a, b) => a - b).join()
  return sizes(state.entries) === sizes(own.entries) ? undefined : 'it has other cache sizes (option entries)'
}
