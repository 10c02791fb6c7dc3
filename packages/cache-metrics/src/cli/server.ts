import { AdvisorError } from './errors.js'

const MAX_BODY_BYTES = 64 * 1024 * 1024

/** Where to ask, and with what. */
export interface Server {
  /** Without user and password. */
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
}

/** An answer: its status, and its body as JSON; `undefined` if it is none. */
export interface Answer { readonly status: number; readonly json: unknown }

/**
 * The server that an option names, with the lines of `--header`. A user and password in the URL become a header, which
 * is what `fetch` takes; neither they nor a header's value are in any sentence.
 */
export function readServer (option: string, text: string, headerLines: readonly string[]): Server {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) throw new AdvisorError(`${option} takes a URL that begins with http:// or https://`)
  const headers: Record<string, string> = { accept: 'application/json' }
  if (url.username !== '' || url.password !== '') {
    headers.authorization = `Basic ${Buffer.from(`${decode(url.username)}:${decode(url.password)}`).toString('base64')}`
    url.username = ''
    url.password = ''
  }
  for (const line of headerLines) {
    const [, name, value] = /^\s*([\w!#$%&'*+.^`|~-]+)\s*:[ \t]*([\t -~\x80-\xff]*)$/.exec(line) ?? []
    if (name === undefined) throw new AdvisorError("--header takes 'name: value', in letters that a header may have")
    headers[name.toLowerCase()] = value!.trimEnd()
  }
  return { url, headers }
}

/** The address of a page below the server's own path, with the server's own query. */
export function pageOf ({ url }: Server, path: string, query: Readonly<Record<string, string>> = {}): URL {
  const page = new URL(url)
  page.pathname = `${url.pathname.replace(/\/+$/, '')}${path}`
  page.hash = ''
  for (const [name, value] of Object.entries(query)) page.searchParams.set(name, value)
  return page
}

/** A URL as it may be shown: a query may hold a secret, too. */
export function shown (url: URL): string {
  return `${url.origin}${url.pathname}`
}

/** Asks; throws `CACHE_ERR_ADVISOR` if there is no answer in time. */
export async function ask (page: URL, { headers }: Server, timeoutMs: number): Promise<Answer> {
  try {
    // A redirect is not followed: it would carry the headers to another server.
    const response = await fetch(page, { headers, redirect: 'manual', signal: AbortSignal.timeout(timeoutMs) })
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
