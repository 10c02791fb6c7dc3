const TOKEN = "[!#$%&'*+\\-.^_`|~\\dA-Za-z]+"
const QUOTED = '"(?:[\\t !#-[\\]-~\\x80-\\uffff]|\\\\[\\t -~\\x80-\\uffff])*"'
// One member of the list, or none, and the comma or the end behind it.
const MEMBER = new RegExp(`[\\t ]*(?:(${TOKEN})(?:=(${TOKEN}|${QUOTED}))?[\\t ]*)?(?:,|$)`, 'y')
const LEADING_NAME = new RegExp(`^[\\t ]*(${TOKEN})`)
// RFC 9111 §1.2.2: what a cache that cannot hold a number uses instead.
const MAX_SECONDS = 2 ** 31
/** The argument of a directive that is there and cannot be read. */
const UNREADABLE = ''

/** The directives of `Cache-Control`. Lifetimes are seconds; `undefined`: not there. */
export interface CacheControl {
  readonly noStore: boolean
  /** Also if it is qualified, as in `no-cache="set-cookie"`; so is `private`. */
  readonly noCache: boolean
  readonly isPrivate: boolean
  readonly isPublic: boolean
  readonly mustRevalidate: boolean
  readonly proxyRevalidate: boolean
  readonly mustUnderstand: boolean
  readonly noTransform: boolean
  readonly immutable: boolean
  readonly onlyIfCached: boolean
  /** `0`: stale, also if the value is missing or unreadable. At most 2^31. So is `sMaxAge`. */
  readonly maxAge: number | undefined
  readonly sMaxAge: number | undefined
  /** `0`: no window. */
  readonly staleWhileRevalidate: number | undefined
  readonly staleIfError: number | undefined
  /** `Infinity`: unreadable, nothing is fresh enough. */
  readonly minFresh: number | undefined
  /** `Infinity`: without a value, any age. */
  readonly maxStale: number | undefined
}

/** A directive in lower case; `undefined`: without an argument. */
export interface Directive { readonly name: string; readonly argument: string | undefined }

/**
 * A request's or a response's `Cache-Control` (RFC 9111 §5.2). Never throws. What is malformed is read the strict way: a
 * field that is no list of directives counts as `no-store`, and so that an open quote hides nothing, every comma in the
 * rest of it separates.
 */
export function parseCacheControl (field: string | readonly string[] | undefined): CacheControl {
  const directives: Directive[] = []
  let isMalformed = false
  // Line by line: joined, two lines with an open quote each would read as one quoted string.
  for (const line of typeof field === 'string' ? [field] : field ?? []) {
    if (!readLine(line, directives)) isMalformed = true
  }
  const control = toCacheControl(directives)
  return isMalformed ? { ...control, noStore: true } : control
}

/** What directives say together. Of duplicates the strictest counts (RFC 9111 §4.2.1). */
export function toCacheControl (directives: readonly Directive[]): CacheControl {
  const has = (name: string) => directives.some((directive) => directive.name === name)
  // What loosens has no argument, and is not believed with one.
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

/** Adds a line's directives; `false`: it is no list of them. */
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

/** Adds what a malformed list has between two commas. */
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
