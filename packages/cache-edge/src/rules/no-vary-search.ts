import { joinLines, parseDictionary, parseInnerStrings } from '@x/cache-core/suite'

/** Limits of a `No-Vary-Search` that is obeyed: characters of the field, and names of parameters. */
const MAX_LENGTH = 1000
const MAX_NAMES = 64

/** The query parameters by which responses of a path differ, as `No-Vary-Search` names them. */
export interface SearchVariance {
  /** A text of the variance: two variances are equal if their texts are. */
  readonly text: string
  /** Whether a query parameter with this decoded name is part of the cache key. */
  isKeyed (name: string): boolean
  readonly isOrdered: boolean
}

/**
 * The variance in a `No-Vary-Search` (draft-ietf-httpbis-no-vary-search §4). `undefined`: the whole query counts, since the field is
 * absent, invalid or too long.
 */
export function varianceIn (field: Parameters<typeof joinLines>[0]): SearchVariance | undefined {
  const text = joinLines(field)
  if (text === undefined || text.length > MAX_LENGTH) return undefined
  const members = parseDictionary(text)
  if (members === undefined) return undefined
  const order = members.has('key-order') ? toBoolean(members.get('key-order')) : false
  const params = members.has('params') ? toBoolean(members.get('params')) ?? namesIn(members.get('params')) : false
  if (order === undefined || params === undefined) return undefined
  const except = members.has('except') ? namesIn(members.get('except')) : []
  if (except === undefined || (members.has('except') && params !== true)) return undefined
  const named = params === true ? except : params === false ? [] : params
  if (!order && params !== true && named.length === 0) return undefined
  const names = new Set(named)
  return {
    text: JSON.stringify([order, params === true, [...names].sort()]),
    isKeyed: (name) => names.has(name) === (params === true),
    isOrdered: !order
  }
}

/**
 * The part of a URL's query that is in the key. Parameter names are compared decoded (draft §4.3); the values are compared as they were
 * sent. Two spellings of one value therefore have two keys, although the draft allows a cache to use one response for both. `undefined`:
 * the URL is not ASCII text.
 */
export function keyedQuery (url: string, { isKeyed, isOrdered }: SearchVariance): string | undefined {
  if (/[^!-~]/.test(url)) return undefined
  const start = url.indexOf('?')
  if (start < 0) return ''
  const pairs = url.slice(start + 1).split('&').map((pair) => ({ pair, name: decoded(pair) })).filter(({ pair, name }) => pair !== '' && isKeyed(name))
  // The sort is stable, so parameters with the same name keep their order.
  if (!isOrdered) pairs.sort((a, b) => a.name < b.name ? -1 : Number(a.name > b.name))
  return pairs.map(({ pair }) => pair).join('&')
}

/** Returns the name of one query parameter, decoded as by a parser of forms. */
function decoded (pair: string): string {
  const [name] = new URLSearchParams(pair).keys()
  return name ?? ''
}

function toBoolean (value: string | undefined): boolean | undefined {
  return value === undefined || value === '?1' ? true : value === '?0' ? false : undefined
}

/** The decoded names in an inner list; `undefined`: the value is no list of strings, or has too many. */
function namesIn (value: string | undefined): string[] | undefined {
  const names = value === undefined ? undefined : parseInnerStrings(value)
  // The characters `&` and `=` are escaped before decoding, since they are part of the name here.
  return names === undefined || names.length > MAX_NAMES ? undefined : names.map((name) => decoded(name.replaceAll('&', '%26').replaceAll('=', '%3D')))
}
