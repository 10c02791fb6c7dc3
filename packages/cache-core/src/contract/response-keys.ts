/** The text before the first colon in the key of each stored response of `@x/cache-edge`. */
export const RESPONSE_KEYS = 'edge'

const RESPONSES = `${RESPONSE_KEYS}:`
const FIRST = RESPONSES.charCodeAt(0)

/** Whether a key is that of a stored response. Clients choose the URLs, and so the number of such keys. */
export function isResponse (key: string): boolean {
  // The first character is compared before the whole prefix, since it rules out most keys at less cost.
  return key.charCodeAt(0) === FIRST && key.startsWith(RESPONSES)
}
