// Finds parts of a path that servers read in different ways: escapes, backslashes, parameters, dots, empty parts, whole URLs. Nearly all
// paths have no such part, and need no second check.
const AMBIGUOUS = /[%\\;]|\/[./]|^(?!\/)/

// Characters at which some servers end a segment of a URL's path, or the whole path: such a server may stop at a NUL or a line break.
const ENDS = '/;?#\0\r\n'

/**
 * Decides by the path whether a request is personal: a response under one of the prefixes is never shared and never a candidate. A path is
 * compared percent-decoded, normalised and in lower case, so that `/api/%75ser` equals `/api/user`. If routers and proxies interpret a path
 * in different ways, the path is personal if one interpretation is.
 */
export class PersonalPaths {
  readonly #prefixes: string[] = []

  add (prefixes: readonly string[]): void {
    for (const prefix of prefixes) this.#prefixes.push(join(resolveDots(split(decode(prefix) ?? prefix))))
  }

  /** Whether the path of a route lies under a prefix of option `personal`. */
  hasRoute (pattern: string): boolean {
    return this.#prefixes.length > 0 && this.#covers(pattern)
  }

  /** Whether the raw URL of a request lies under a prefix of option `personal`. A URL that cannot be decoded counts as personal. */
  hasUrl (url: string): boolean {
    if (this.#prefixes.length === 0) return false
    const end = url.search(/[?#]/)
    let path: string | undefined = end < 0 ? url : url.slice(0, end)
    if (!AMBIGUOUS.test(path)) return this.#isUnder(path.toLowerCase())
    // A request line may contain a whole URL instead of a path; the router then uses the path of that URL.
    if (!path.startsWith('/')) path = path.replace(/^[a-z][a-z\d+.-]*:\/\/[^/]*/i, '')
    // The path of the URL is decoded twice, since a proxy or a handler may decode escapes that remain after the router has decoded once.
    for (let times = 0; times < 2 && path.includes('%'); times++) {
      if (this.#covers(path)) return true
      path = decode(path)
      if (path === undefined) return true
    }
    return path.includes('%') || this.#covers(path)
  }

  #covers (path: string): boolean {
    const parts = split(path)
    const readings = [parts]
    // Some servers read the path parameter of `/api;v=1/user` as a part of its segment, others as the end of the path, so both readings are
    // checked.
    if (path.includes(';')) readings.push(parts.map((part) => part.replace(/;.*/s, '')))
    return readings.some((reading) => this.#isUnder(join(reading)) ||
      (reading.includes('..') && this.#isUnder(join(resolveDots(reading)))))
  }

  #isUnder (path: string): boolean {
    return this.#prefixes.some((prefix) => path === prefix || prefix === '/' ||
      (path.startsWith(prefix) && ENDS.includes(path[prefix.length]!)))
  }
}

/** Whether a URL of a route may lie under a prefix of option `personal`: parameters and wildcards of its pattern may have any value. */
export function mayLieUnder (prefix: string, pattern: string): boolean {
  const parts = resolveDots(split(pattern))
  for (const [at, wanted] of resolveDots(split(decode(prefix) ?? prefix)).entries()) {
    const part = parts[at]
    if (part === undefined) return false
    // A wildcard, or the regular expression of a parameter, may match slashes, so the parts of the path behind it are not compared.
    if (part.includes('*') || part.includes('(')) return true
    if (part !== wanted && !part.includes(':')) return false
  }
  return true
}

function split (path: string): string[] {
  return path.toLowerCase().replaceAll('\\', '/').split('/')
}

function join (parts: readonly string[]): string {
  return `/${parts.filter((part) => part !== '' && part !== '.').join('/')}`
}

function resolveDots (parts: readonly string[]): string[] {
  const resolved: string[] = []
  for (const part of parts) {
    if (part === '..') resolved.pop()
    else if (part !== '' && part !== '.') resolved.push(part)
  }
  return resolved
}

function decode (path: string): string | undefined {
  try {
    return decodeURIComponent(path)
  } catch {
    // `undefined` stands for a URL path that cannot be decoded: the caller counts the URL as personal.
    return undefined
  }
}
