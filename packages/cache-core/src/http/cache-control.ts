const TOKEN = "[!#$%&'*+\\-.^_`|~\\dA-Za-z]+"
const QUOTED = '"(?:[\\t !#-[\\]-~\\x80-\\uffff]|\\\\[\\t -~\\x80-\\uffff])*"'
// Matches one directive of a `Cache-Control` line, or an empty member, with the comma or the end of the text behind it.
const MEMBER = new RegExp(`[\\t ]*(?:(${TOKEN})(?:=(${TOKEN}|${QUOTED}))?[\\t ]*)?(?:,|$)`, 'y')
const LEADING_NAME = new RegExp(`^[\\t ]*(${TOKEN})`)
// RFC 9111 §1.2.2: a cache uses this number of seconds for a larger number that it cannot represent.
const MAX_SECONDS = 2 ** 31
/** Stands for the argument of a directive that has an argument in malformed syntax. */
const UNREADABLE = ''

/** The directives of `Cache-Control`. Lifetimes are in seconds; `undefined`: the directive is absent. */
export interface CacheControl {
  readonly noStore: boolean
  /** `true` also for a qualified directive such as `no-cache="set-cookie"`, and `isPrivate` likewise. */
  readonly noCache: boolean
  readonly isPrivate: boolean
  readonly isPublic: boolean
  readonly mustRevalidate: boolean
  readonly proxyRevalidate: boolean
  readonly mustUnderstand: boolean
  readonly noTransform: boolean
  readonly immutable: boolean
  readonly onlyIfCached: boolean
  /** Seconds, at most 2^31. `0`, which means stale, if the argument is missing or malformed. These rules also apply to `sMaxAge`. */
  readonly maxAge: number | undefined
  readonly sMaxAge: number | undefined
  /** Seconds of the stale windows of RFC 5861; `0`: the response has no such window. */
  readonly staleWhileRevalidate: number | undefined
  readonly staleIfError: number | undefined
  /** Seconds; `Infinity`: the argument is malformed, so that no response is fresh enough. */
  readonly minFresh: number | undefined
  /** Seconds; `Infinity`: the directive has no argument, so that the client accepts a stale response of any age. */
  readonly maxStale: number | undefined
}

/** One directive, its name in lower case; `argument` is `undefined` if the directive has none. */
export interface Directive { readonly name: string; readonly argument: string | undefined }

/**
 * Parses the `Cache-Control` of a request or a response (RFC 9111 §5.2). Never throws. A malformed field counts as `no-store`, and its
 * other directives are read as well. After the syntax error every comma separates two directives, so that a quote without an end hides no
 * directive.
 */
export function parseCacheControl (field: string | readonly string[] | undefined): CacheControl {
  const directives: Directive[] = []
  let isMalformed = false
  // Each line of the field is parsed separately: two joined lines, each with an open quote, would be read as one quoted string.
  for (const line of typeof field === 'string' ? [field] : field ?? []) {
    if (!readLine(line, directives)) isMalformed = true
  }
  const control = toCacheControl(directives)
  return isMalformed ? { ...control, noStore: true } : control
}

/** Combines directives to a `CacheControl`. If a directive occurs more than once, the strictest one counts (RFC 9111 §4.2.1). */
export function toCacheControl (directives: readonly Directive[]): CacheControl {
  const has = (name: string) => directives.some((directive) => directive.name === name)
  // A directive that loosens the rules, such as `public`, has no argument; with an argument it is ignored.
  const hasBare = (name: string) => directives.some((directive) => directive.name === name && directive.argument === undefined)
  const seconds = (name: string, unreadable: number) => directives
    .filter((directive) => directive.name === name)
    .map(({ argument }) => argument !== undefined && /^\d+$/.test(argument) ? Math.min(Number(argument), MAX_SECONDS) : unreadable)
  const smallest = (values: number[]) => values.length === 0 ? undefined : Math.min(...values)

  const minFresh = seconds('min-fresh', Infinity)
  const maxStale = seconds('max-stale', NaN).filter((value) => !Number.isNaN(value))
  if (hasBare('max-stale')) maxStale.push(Infinity)
  return {
    noStore: has('no-store'),
    noCache: has('no-cache'),
    isPrivate: has('private'),
    isPublic: hasBare('public'),
    mustRevalidate: has('must-revalidate'),
    proxyRevalidate: has('proxy-revalidate'),
    mustUnderstand: has('must-understand'),
    noTransform: has('no-transform'),
    immutable: hasBare('immutable'),
    onlyIfCached: has('only-if-cached'),
    maxAge: smallest(seconds('max-age', 0)),
    sMaxAge: smallest(seconds('s-maxage', 0)),
    staleWhileRevalidate: smallest(seconds('stale-while-revalidate', 0)),
    staleIfError: smallest(seconds('stale-if-error', 0)),
    minFresh: minFresh.length === 0 ? undefined : Math.max(...minFresh),
    maxStale: smallest(maxStale)
  }
}

/** Adds the directives of one `Cache-Control` line to `directives`; returns `false` if the line is no list of directives. */
function readLine (line: string, directives: Directive[]): boolean {
  let at = 0
  while (at < line.length) {
    MEMBER.lastIndex = at
    const member = MEMBER.exec(line)
    if (member === null) {
      for (const part of line.slice(at).split(',')) readPart(part, directives)
      return false
    }
    const [, name, argument] = member
    if (name !== undefined) directives.push({ name: name.toLowerCase(), argument: unquote(argument) })
    at = MEMBER.lastIndex
  }
  return true
}

/** Adds the directives in one part, between two commas, of a malformed `Cache-Control` line. */
function readPart (part: string, directives: Directive[]): void {
  MEMBER.lastIndex = 0
  const whole = MEMBER.exec(part)
  const name = whole?.[1] ?? LEADING_NAME.exec(part)?.[1]
  if (name === undefined) return
  directives.push({ name: name.toLowerCase(), argument: whole === null ? UNREADABLE : unquote(whole[2]) })
}

function unquote (argument: string | undefined): string | undefined {
  return argument?.startsWith('"') ? argument.slice(1, -1).replace(/\\(.)/gs, '$1') : argument
}
