/** The text before the first colon in the key of each stored response of `@x/cache-edge`. */
export const RESPONSE_KEYS = 'edge'

const RESPONSES = `${RESPONSE_KEYS}:`
const FIRST = RESPONSES.charCodeAt(0)

/** Whether an entry is a stored response: clients choose how many of them there are. */
export function isResponse (key: string): boolean {
  // The first character first: most keys are told apart by it, faster.
  return key.charCodeAt(0) === FIRST && key.startsWith(RESPONSES)
}
