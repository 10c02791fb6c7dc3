import { AdvisorError } from './errors.js'

const MAX_BODY_BYTES = 64 * 1024 * 1024
/** The minimum length of a secret that is removed from messages: a shorter text may be a word that occurs in any message. */
const MIN_SECRET = 4

/** A server that `cache-advisor` queries: its address, and the headers of each request. */
export interface Server {
  /** The address of the server, without user and password. */
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  /** Texts that no message may contain: the password, and the values of the headers on the command line. */
  readonly secrets: readonly string[]
}

/** A response of a server: its status, and its parsed JSON; `json` is `undefined` if the body is not JSON. */
export interface Answer { readonly status: number; readonly json: unknown }

/**
 * Parses the address of a server and the lines of `--header`. User and password of the URL become an `Authorization` header,
 * since `fetch` refuses URLs with a password. No error message contains a password or the value of a header.
 * @throws `CACHE_ERR_ADVISOR` for an invalid address or an invalid header
 */
export function readServer (option: string, text: string, headerLines: readonly string[]): Server {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) throw new AdvisorError(`${option} takes a URL that begins with http:// or https://`)
  const headers: Record<string, string> = { accept: 'application/json' }
  const secrets = [decode(url.username), decode(url.password), url.search.slice(1)]
  if (url.username !== '' || url.password !== '') {
    headers.authorization = `Basic ${Buffer.from(`${decode(url.username)}:${decode(url.password)}`).toString('base64')}`
    url.username = ''
    url.password = ''
  }
  for (const line of headerLines) {
    const [, name, value] = /^\s*([\w!#$%&'*+.^`|~-]+)\s*:[ \t]*([\t -~\x80-\xff]*)$/.exec(line) ?? []
    if (name === undefined) throw new AdvisorError("--header takes 'name: value', in letters that a header may have")
    headers[name.toLowerCase()] = value!.trimEnd()
    secrets.push(value!.trimEnd(), ...value!.split(/[\s,;=]+/))
  }
  if (headers.authorization !== undefined) secrets.push(...headers.authorization.split(' '))
  const long = [...new Set(secrets)].filter(({ length }) => length >= MIN_SECRET)
  return { url, headers, secrets: long.sort((one, other) => other.length - one.length) }
}

/** Returns the address of a page: the path of the server's address, extended by the path of the page, with the query parameters of both. */
export function pageOf ({ url }: Server, path: string, query: Readonly<Record<string, string>> = {}): URL {
  const page = new URL(url)
  page.pathname = `${url.pathname.replace(/\/+$/, '')}${path}`
  page.hash = ''
  for (const [name, value] of Object.entries(query)) page.searchParams.set(name, value)
  return page
}

/** Returns the text of a URL for messages, without the query, which may contain a secret. */
export function shown (url: URL): string {
  return `${url.origin}${url.pathname}`
}

/**
 * Returns advice for a status other than 200 of a page of an app, as the end of a sentence; `''` for a status without advice.
 * @param asked the beginning of a question about a page that is not found; the function completes it with the environments in which the
 * page is open
 */
export function hintFor (status: number, asked: string): string {
  if (status === 401 || status === 403) return ': give what its guard wants with --header'
  if (status === 404) return `: ${asked} where NODE_ENV is another than development, test or staging?`
  if (status >= 300 && status < 400) return ', a redirect: give the address that it leads to'
  return ''
}

/** Removes secrets that were sent to a server from a text that the server returned, since the server may repeat them. */
export function withoutSecrets (text: string, { secrets }: Server): string {
  return secrets.reduce((shorter, secret) => shorter.replaceAll(secret, '…'), text)
}

/**
 * Sends a request for a page of a server: GET, or POST with `body` as JSON.
 * @throws `CACHE_ERR_ADVISOR` if there is no response in time
 */
export async function ask (page: URL, { headers }: Server, timeoutMs: number, body?: object): Promise<Answer> {
  const post = body === undefined ? { headers } : { headers: { ...headers, 'content-type': 'application/json' }, method: 'POST', body: JSON.stringify(body) }
  try {
    // A redirect is not followed, since it would send the headers to another server.
    const response = await fetch(page, { ...post, redirect: 'manual', signal: AbortSignal.timeout(timeoutMs) })
    return { status: response.status, json: parse(await textOf(response)) }
  } catch (error) {
    throw new AdvisorError(`${shown(page)} ${whyNot(error as Error, timeoutMs)}`, { cause: error })
  }
}

async function textOf (response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true })
    if (text.length > MAX_BODY_BYTES) throw new Error('too long')
  }
  return text + decoder.decode()
}

function parse (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function whyNot (error: Error, timeoutMs: number): string {
  if (error.name === 'TimeoutError') return `did not answer within ${timeoutMs / 1000} s`
  if (error.message === 'too long') return `sent more than ${MAX_BODY_BYTES / 1024 / 1024} MiB`
  const { code } = (error.cause ?? {}) as { code?: unknown }
  return `cannot be reached${typeof code === 'string' ? ` (${code})` : ''}`
}

function decode (text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
