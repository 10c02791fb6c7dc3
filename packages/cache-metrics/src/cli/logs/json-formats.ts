import { AdvisorError } from '../errors.js'
import { entryOf, requestOf, requestOfLine, type LogEntry, type LogFormat } from './log-entry.js'
import { timeParser, type TimeParser } from './log-times.js'

/** The members of a JSON log that contain the parts of a request, as paths such as `request.uri`. The first path that exists is used. */
interface JsonShape {
  readonly time: readonly string[]
  /** The paths of the request line, which is used if `method` and `target` do not exist. */
  readonly request?: readonly string[]
  readonly method?: readonly string[]
  readonly target?: readonly string[]
  /** The paths of the query, in a log whose `target` has none. */
  readonly query?: readonly string[]
  readonly status: readonly string[]
  readonly host?: readonly string[]
  readonly user?: readonly string[]
  readonly bytes?: readonly string[]
  /** The paths of response times, each with the number of its units per second. */
  readonly took?: ReadonlyArray<readonly [path: string, perSecond: number]>
  /** The paths of the result of a cache in front of the app. */
  readonly result?: readonly string[]
}

const SHAPES: ReadonlyArray<JsonShape & { readonly name: string, readonly title: string }> = [
  {
    name: 'nginx-json',
    title: 'JSON log of nginx',
    time: ['msec', 'time_iso8601', 'time_local', 'time', 'timestamp', '@timestamp'],
    request: ['request'],
    method: ['request_method'],
    target: ['request_uri'],
    status: ['status'],
    host: ['host', 'http_host', 'server_name'],
    user: ['remote_user'],
    bytes: ['body_bytes_sent', 'bytes_sent'],
    took: [['upstream_response_time', 1], ['request_time', 1]],
    result: ['upstream_cache_status']
  },
  {
    name: 'caddy',
    title: 'JSON log of Caddy',
    time: ['ts'],
    method: ['request.method'],
    target: ['request.uri'],
    status: ['status'],
    host: ['request.host'],
    user: ['user_id'],
    bytes: ['size'],
    took: [['duration', 1]]
  },
  {
    name: 'traefik-json',
    title: 'JSON log of Traefik',
    time: ['StartUTC', 'StartLocal', 'time'],
    method: ['RequestMethod'],
    target: ['RequestPath'],
    status: ['DownstreamStatus'],
    host: ['RequestHost'],
    user: ['ClientUsername'],
    bytes: ['DownstreamContentSize'],
    took: [['OriginDuration', 1e9], ['Duration', 1e9]]
  },
  {
    name: 'envoy-json',
    title: 'JSON log of Envoy',
    time: ['start_time'],
    method: ['method'],
    target: ['path'],
    status: ['response_code'],
    host: ['authority'],
    bytes: ['bytes_sent'],
    took: [['upstream_service_time', 1e3], ['duration', 1e3]]
  },
  {
    name: 'cloudflare',
    title: 'NDJSON of Cloudflare',
    time: ['EdgeStartTimestamp'],
    method: ['ClientRequestMethod'],
    target: ['ClientRequestURI'],
    status: ['EdgeResponseStatus'],
    host: ['ClientRequestHost'],
    bytes: ['EdgeResponseBodyBytes', 'EdgeResponseBytes'],
    took: [['OriginResponseDurationMs', 1e3], ['OriginResponseTime', 1e9]],
    result: ['CacheCacheStatus']
  }
]

/** The results of a cache that has sent a response without a request to the app. */
const FROM_CACHE = /^(?:HIT|STALE|UPDATING)$/i
/** The names that option `--fields` accepts, each with its member of `JsonShape`; the names in `UNITS` are those of response times. */
const PARTS: Readonly<Record<string, string>> = {
  time: 'time', request: 'request', method: 'method', target: 'target', query: 'query', status: 'status', host: 'host', user: 'user', bytes: 'bytes'
}
const UNITS: Readonly<Record<string, number>> = { seconds: 1, ms: 1e3, us: 1e6, ns: 1e9 }
/** The name of the format that option `--fields` defines. */
export const FIELDS_FORMAT = 'json'

/** The JSON log formats whose member names are known. */
export const JSON_FORMATS: readonly LogFormat[] = SHAPES.map((shape) => formatOf(shape.name, shape.title, shape))

/**
 * Returns the format of a JSON log whose member names the user gives, such as `time=ts,request=line,status=code,ms=took`.
 * @throws `CACHE_ERR_ADVISOR` for a part that is not known, is given twice or is missing
 */
export function formatOfFields (text: string): LogFormat {
  const shape: Record<string, unknown> = {}
  for (const pair of text.split(',')) {
    const [, part, path] = /^\s*(\w+)=(\S+)\s*$/.exec(pair) ?? []
    if (part === undefined || (!Object.hasOwn(PARTS, part) && !Object.hasOwn(UNITS, part))) {
      throw new AdvisorError(`--fields takes pairs such as time=ts, with commas between them and the names ${[...Object.keys(PARTS), ...Object.keys(UNITS)].join(', ')} (see cache-advisor --help)`)
    }
    const name = PARTS[part] ?? 'took'
    if (Object.hasOwn(shape, name)) throw new AdvisorError(`--fields has more than one name for ${name === 'took' ? 'the response time' : name} (see cache-advisor --help)`)
    shape[name] = name === 'took' ? [[path!, UNITS[part]!]] : [path!]
  }
  const isWhole = 'time' in shape && 'status' in shape && ('request' in shape || ('method' in shape && 'target' in shape))
  if (!isWhole) throw new AdvisorError('--fields needs time, status, and request or both of method and target (see cache-advisor --help)')
  return formatOf(FIELDS_FORMAT, 'JSON log', shape as unknown as JsonShape)
}

/** Parses a line that may be a JSON object; `undefined`: the line is no JSON object. */
export function objectOf (line: string): object | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    return JSON.parse(line) as object
  } catch {
    return undefined
  }
}

function formatOf (name: string, title: string, shape: JsonShape): LogFormat {
  return {
    name,
    title,
    open: () => {
      const time = timeParser()
      const read = readerOf(shape)
      return (line) => {
        const object = objectOf(line)
        return object === undefined ? undefined : read(object, time)
      }
    }
  }
}

type Getter = (object: object) => unknown

function readerOf (shape: JsonShape): (object: object, time: TimeParser) => LogEntry | undefined {
  const ofAny = (paths: readonly string[] | undefined): Getter => getterOf(paths)
  const [method, target, query, line] = [shape.method, shape.target, shape.query, shape.request].map(ofAny)
  const [at, status, user, bytes, result] = [shape.time, shape.status, shape.user, shape.bytes, shape.result].map(ofAny)
  const host = getterOf(shape.host, isName)
  const took = (shape.took ?? []).map(([path, perSecond]) => ({ get: memberAt(path), perSecond }))
  return (object, time) => {
    const [code, when] = [numberOf(status!(object)), time(at!(object))]
    const path = withQuery(target!(object), query!(object))
    const request = requestIn(method!(object), path, line!(object), textOf(host(object)))
    if (request === undefined || Number.isNaN(when) || !(Number.isInteger(code) && code >= 0 && code <= 999)) return undefined
    const name = textOf(user!(object))
    return entryOf(request, {
      hasUser: name !== '' && name !== '-',
      time: when,
      status: code,
      bytes: numberOf(bytes!(object)),
      seconds: FROM_CACHE.test(textOf(result!(object))) ? NaN : secondsIn(object, took)
    })
  }
}

function requestIn (method: unknown, target: unknown, line: unknown, host: string): Pick<LogEntry, 'method' | 'target' | 'host'> | undefined {
  if (typeof method === 'string' && typeof target === 'string') return requestOf(method, target, host)
  return typeof line === 'string' ? requestOfLine(line, host.toLowerCase()) : undefined
}

/** Adds the query to a target; `-` and an empty text are no query. */
function withQuery (target: unknown, query: unknown): unknown {
  return typeof target !== 'string' || typeof query !== 'string' || query === '' || query === '-' ? target : `${target}?${query.replace(/^\?/, '')}`
}

/** Returns the first response time that a line has; NaN if the value is no number, such as `-` for a response that no app sent. */
function secondsIn (object: object, took: ReadonlyArray<{ get: Getter, perSecond: number }>): number {
  for (const { get, perSecond } of took) {
    const value = get(object)
    // Envoy writes null for a time that it does not have.
    if (value === undefined || value === null) continue
    // If nginx tried several servers, it lists the times of all, which are added up.
    const sum = typeof value === 'string' && /[,:]/.test(value) ? value.split(/[,:]/).reduce((total, one) => total + numberOf(one.trim()), 0) : numberOf(value)
    return sum >= 0 ? sum / perSecond : NaN
  }
  return NaN
}

/** Returns a function that reads the first member, among those at some paths, whose value is accepted; by default each value is. */
function getterOf (paths: readonly string[] = [], isAccepted = isPresent): Getter {
  const getters = paths.map(memberAt)
  return (object) => {
    for (const get of getters) {
      const value = get(object)
      if (isAccepted(value)) return value
    }
    return undefined
  }
}

function isPresent (value: unknown): boolean {
  return value !== undefined
}

/** Whether a value is a name. A log shipper adds an object as `host`, and a server writes `-` for a name that it does not have. */
function isName (value: unknown): boolean {
  return typeof value === 'string' && value !== '' && value !== '-'
}

/** Returns a function that reads a member: the one whose name is the whole path, else the nested member at that path. */
function memberAt (path: string): Getter {
  const names = path.split('.')
  if (names.length === 1) return (object) => ownOf(object, path)
  return (object) => ownOf(object, path) ?? names.reduce<unknown>(ownOf, object)
}

function ownOf (value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined
}

/** Returns a value if it is a text, otherwise `''`. */
export function textOf (value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function numberOf (value: unknown): number {
  return typeof value === 'number' ? value : typeof value === 'string' && value !== '' ? Number(value) : NaN
}
