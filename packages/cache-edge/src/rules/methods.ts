/** Safe methods (RFC 9110 §9.2.1, RFC 10008): a response to them invalidates no stored response. */
export const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY'])

/** Whether a method reads a representation, so that its responses may be stored, and a precondition may be answered with 304. */
export function isRead (method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'QUERY'
}
