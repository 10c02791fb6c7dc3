import { isIdLike } from '@x/cache-core/suite'

const WORD = /^[\w.~@-]{0,40}$/
const NUMBER = /^\d+$/
const ORIGIN = /^[a-z]+:\/\/[^/?#]*/i
const QUERY = /[?#]/
const MAX_SEGMENTS = 8

/** Returns the probable route of a request target: its path, with `:id` in place of each segment that resembles an id or is no word. */
export function routePattern (target: string): string {
  const path = target.startsWith('/') ? target : target.replace(ORIGIN, '')
  const query = path.search(QUERY)
  const end = query === -1 ? path.length : query
  let pattern = ''
  let from = path.startsWith('/') ? 1 : 0
  for (let count = 0; from <= end; count++) {
    if (count === MAX_SEGMENTS) return `${pattern}/*`
    const slash = path.indexOf('/', from)
    const to = slash === -1 || slash > end ? end : slash
    pattern += `/${labelOf(path.slice(from, to))}`
    from = to + 1
  }
  return pattern
}

function labelOf (segment: string): string {
  return WORD.test(segment) && !NUMBER.test(segment) && !isIdLike(segment) ? segment : ':id'
}
