import { REDIS_PORT } from './redis-port.js'
import { OptionInvalid } from '@x/cache-core/suite'

/** The address of one Redis server, as the options give it. */
export interface Endpoint {
  readonly host: string
  readonly port: number
  /** The name that the server's certificate must have, if it is not `host`. */
  readonly servername?: string
  readonly tls: boolean
  readonly username?: string
  readonly password?: string
  readonly db?: number
  /** The IP version to which a host name is resolved: 4 or 6; 0: either. */
  readonly family?: number
}

/** The options that name the Redis servers. */
export interface EndpointOptions {
  readonly url?: string | readonly string[] | undefined
  readonly nodes?: readonly { readonly host: string, readonly port: number, readonly servername?: string }[] | undefined
  readonly mode: 'single' | 'cluster' | 'sentinel'
}

const ALLOWED = 'redis://user:password@host:port/db, with ?db= and ?family= alone'
/** The parts of a Redis URL that apply to all servers; a later URL must not have another value. */
const COMMON = ['tls', 'username', 'password', 'db', 'family'] as const

/**
 * Returns the addresses of the Redis servers that the options contain. Settings of the first address, such as the password, apply to all
 * servers.
 * @throws `CACHE_ERR_OPTION_INVALID`, without the URL, which may contain a password
 */
export function endpointsOf ({ url, nodes, mode }: EndpointOptions): Endpoint[] {
  if (nodes !== undefined) return nodes.map((node) => ({ ...node, tls: false }))
  const urls = url === undefined ? [`redis://127.0.0.1:${REDIS_PORT}`] : typeof url === 'string' ? url.split(',') : url
  const endpoints = urls.map((each) => parse(each.trim()))
  const [first] = endpoints as [Endpoint]
  for (const other of endpoints.slice(1)) {
    for (const name of COMMON) {
      if (other[name] !== undefined && other[name] !== first[name]) refuse(`several URLs, of which a later one has another ${name}`, 'one value for all, in the first URL or as an option')
    }
  }
  if (mode === 'cluster' && (first.db ?? 0) !== 0) refuse(`database ${first.db}`, 'database 0 in a Cluster')
  return endpoints
}

/** Parses one Redis URL. Its query has the same meaning as in ioredis; a part that would have no effect is refused. */
function parse (url: string): Endpoint {
  let parsed: URL
  let username: string
  let password: string
  try {
    parsed = new URL(url)
    username = decodeURIComponent(parsed.username)
    password = decodeURIComponent(parsed.password)
  } catch {
    return refuse('a string that is no URL', ALLOWED)
  }
  const query = new Map<string, string>()
  for (const [name, value] of parsed.searchParams) {
    if (name !== 'db' && name !== 'family') return refuse('a query with an unknown parameter', ALLOWED)
    if (query.has(name)) return refuse(`a query with ${name} twice`, ALLOWED)
    query.set(name, value)
  }
  if (parsed.hash !== '') return refuse('a fragment', ALLOWED)
  const path = parsed.pathname.slice(1)
  // The database number in the path of a URL takes precedence over that in its query, as in ioredis.
  const db = path === '' ? query.get('db') : path
  if (db !== undefined && !/^\d{1,9}$/.test(db)) return refuse('a database that is no number', ALLOWED)
  const family = query.get('family')
  if (family !== undefined && !/^[046]$/.test(family)) return refuse('a family that is none of 0, 4 and 6', ALLOWED)
  return {
    host: parsed.hostname.replace(/^\[|\]$/g, ''),
    port: parsed.port === '' ? REDIS_PORT : Number(parsed.port),
    tls: parsed.protocol === 'rediss:',
    ...username === '' ? {} : { username },
    ...password === '' ? {} : { password },
    ...db === undefined ? {} : { db: Number(db) },
    ...family === undefined ? {} : { family: Number(family) }
  }
}

function refuse (got: string, allowed: string): never {
  throw new OptionInvalid('url', got, allowed)
}
