/**
 * Whether a request target has a query parameter that is not one of these. Names are compared as they were sent, byte for
 * byte: the key has them so. Two `&` in a row have a parameter without a name between them.
 * @param hasSemicolon whether the router begins a query at `;` as well (`useSemicolonDelimiter`)
 */
export function hasOtherParameter (url: string, names: ReadonlySet<string>, hasSemicolon: boolean): boolean {
  const start = hasSemicolon ? url.search(/[?;]/) : url.indexOf('?')
  if (start < 0) return false
  // An empty query makes another URL, and so another key.
  if (start === url.length - 1) return false
  return url.slice(start + 1).split('&').some((parameter) => {
    const end = parameter.indexOf('=')
    return !names.has(end < 0 ? parameter : parameter.slice(0, end))
  })
}
