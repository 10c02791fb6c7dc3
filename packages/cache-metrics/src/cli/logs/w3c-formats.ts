import { entryOf, requestOf, type LogFormat, type LogReader } from './log-entry.js'
import { timeParser } from './log-times.js'

/** A log format of the W3C, in which the directive `#Fields` names the columns. */
interface W3cShape {
  readonly name: string
  readonly title: string
  /** Whether the columns are those of this format; columns that every request needs are not checked here. */
  readonly isOf: (names: readonly string[]) => boolean
  readonly separator: string
  /** The columns that may contain the host, the preferred one first. */
  readonly hosts: readonly string[]
  readonly tookPerSecond: number
}

const EDGE = 'x-edge-location'
const SHAPES: readonly W3cShape[] = [
  {
    name: 'cloudfront',
    title: 'standard log of CloudFront',
    isOf: (names) => names.includes(EDGE),
    separator: '\t',
    hosts: ['x-host-header', 'cs(Host)'],
    tookPerSecond: 1
  },
  { name: 'iis', title: 'W3C log of IIS', isOf: (names) => !names.includes(EDGE), separator: ' ', hosts: ['cs-host'], tookPerSecond: 1000 }
]
const FIELDS = /^#Fields:\s*/
const DIRECTIVE = /^#(?:Version|Software|Date|Start-Date|End-Date|Remark):/
const COLUMNS = {
  date: 'date',
  time: 'time',
  method: 'cs-method',
  stem: 'cs-uri-stem',
  query: 'cs-uri-query',
  status: 'sc-status',
  user: 'cs-username',
  bytes: 'sc-bytes',
  took: 'time-taken',
  result: 'x-edge-result-type'
} as const
const NEEDED = ['date', 'time', 'method', 'stem', 'query', 'status'] as const
/** The results of CloudFront's cache for responses that needed no load by the app. */
const FROM_CACHE: ReadonlySet<string> = new Set(['Hit', 'OriginShieldHit'])
/** The text of a column that has no value. */
const NONE = '-'

/** The log formats of the W3C. */
export const W3C_FORMATS: readonly LogFormat[] = SHAPES.map((shape) =>
  ({ name: shape.name, title: shape.title, open: () => openW3c(shape) }))

function openW3c (shape: W3cShape): LogReader {
  const secondOf = secondParser()
  const columns = new Columns(shape.separator)
  let places: Places | undefined
  return (line) => {
    if (line.startsWith('#')) {
      if (!FIELDS.test(line)) return DIRECTIVE.test(line) ? null : undefined
      places = placesOf(line.replace(FIELDS, '').trim().split(/\s+/), shape)
      return places === undefined ? undefined : null
    }
    if (places === undefined) return undefined
    if (!columns.take(line, places.count)) return undefined
    const time = secondOf(columns.at(places.date), columns.at(places.time))
    const status = Number(columns.at(places.status))
    if (Number.isNaN(time) || Number.isNaN(status)) return undefined
    const [stem, query] = [columns.at(places.stem), columns.at(places.query)]
    return entryOf(requestOf(columns.at(places.method), query === NONE ? stem : `${stem}?${query}`, hostIn(columns, places.hosts)), {
      hasUser: columns.at(places.user) !== NONE,
      time,
      status,
      bytes: Number(columns.at(places.bytes)),
      seconds: FROM_CACHE.has(columns.at(places.result)) ? NaN : Number(columns.at(places.took)) / shape.tookPerSecond
    })
  }
}

/** Creates a parser of a date and a time in UTC. The last result is remembered, since many lines have the same second. */
function secondParser (): (date: string, time: string) => number {
  const timeOf = timeParser()
  let known = { date: '', time: '', second: NaN }
  return (date, time) => {
    if (time !== known.time || date !== known.date) known = { date, time, second: timeOf(`${date}T${time}Z`) }
    return known.second
  }
}

/** The columns of the current log line. Only the columns that are read are extracted, since a line has many more. */
class Columns {
  #line = ''
  readonly #ends: number[] = []
  readonly #separator: string

  constructor (separator: string) {
    this.#separator = separator
  }

  /** Begins a new line; `false`: the line does not have `count` columns. */
  take (line: string, count: number): boolean {
    this.#line = line
    let found = 0
    let end = line.indexOf(this.#separator)
    while (end !== -1 && found < count) {
      this.#ends[found++] = end
      end = line.indexOf(this.#separator, end + 1)
    }
    this.#ends[found] = line.length
    return found + 1 === count
  }

  /** Returns the text of a column. The result is `-` for a column without a value, and for a column that the log does not have. */
  at (place: number): string {
    return place === -1 ? NONE : this.#line.slice(place === 0 ? 0 : this.#ends[place - 1]! + 1, this.#ends[place])
  }
}

function hostIn (columns: Columns, places: readonly number[]): string {
  for (const place of places) {
    const host = columns.at(place)
    if (host !== NONE) return host
  }
  return ''
}

/** The positions of the columns in a line; -1: the log has no such column. */
type Places =
  Readonly<Record<keyof typeof COLUMNS | 'count', number> & { hosts: readonly number[] }>

/** Returns the positions of the columns; `undefined`: the columns are those of another format. */
function placesOf (names: readonly string[], { isOf, hosts }: W3cShape): Places | undefined {
  if (!isOf(names) || NEEDED.some((name) => !names.includes(COLUMNS[name]))) return undefined
  const all = Object.entries(COLUMNS).map(([part, name]) => [part, names.indexOf(name)])
  const places = Object.fromEntries(all) as Record<keyof typeof COLUMNS, number>
  return { ...places, count: names.length, hosts: hosts.map((name) => names.indexOf(name)).filter((place) => place !== -1) }
}
