/**
 * Whether a request target has a query parameter that is not in `names`. Names are compared byte for byte as they were sent, since the
 * cache key contains the names as sent. Two consecutive `&` enclose a parameter without a name.
 * @param hasSemicolon whether the router begins a query at `;` as well (`useSemicolonDelimiter`)
 */
export function hasOtherParameter (url: string, names: ReadonlySet<string>, hasSemicolon: boolean): boolean {
  const start = hasSemicolon ? url.search(/[?;]/) : url.indexOf('?')
  if (start < 0) return false
  // An empty query has no parameter. A URL with an empty query has a cache key of its own, so it cannot be confused with other URLs.
  if (start === url.length - 1) return false
  return url.slice(start + 1).split('&').some((parameter) => {
    const end = parameter.indexOf('=')
    return !names.has(end < 0 ? parameter : parameter.slice(0, end))
  })
}
