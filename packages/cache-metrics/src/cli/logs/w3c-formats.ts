import { entryOf, requestOf, type LogFormat, type LogReader } from './log-entry.js'
import { timeParser } from './log-times.js'

/** A format of the W3C, whose directive `#Fields` names the columns. */
interface W3cShape {
  readonly name: string
  readonly title: string
  /** Whether the columns are those of the format, beside those that each request needs. */
  readonly isOf: (names: readonly string[]) => boolean
  readonly separator: string
  /** The columns with the host, in their order of preference. */
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
/** The results of CloudFront's cache that needed no load by the app. */
const FROM_CACHE = /^(?:Hit|OriginShieldHit)$/

/** The formats of the W3C. */
export const W3C_FORMATS: readonly LogFormat[] = SHAPES.map((shape) =>
  ({ name: shape.name, title: shape.title, open: () => openW3c(shape) }))

function openW3c (shape: W3cShape): LogReader {
  const timeOf = timeParser()
  let places: Places | undefined
  return (line) => {
    if (line.startsWith('#')) {
      if (!FIELDS.test(line)) return DIRECTIVE.test(line) ? null : undefined
      places = placesOf(line.replace(FIELDS, '').trim().split(/\s+/), shape)
      return places === undefined ? undefined : null
    }
    if (places === undefined) return undefined
    const values = line.split(shape.separator)
    if (values.length !== places.count) return undefined
    const value = (place: number): string => values[place] ?? '-'
    const time = timeOf(`${value(places.date)}T${value(places.time)}Z`)
    const status = Number(value(places.status))
    if (Number.isNaN(time) || Number.isNaN(status)) return undefined
    const [stem, query] = [value(places.stem), value(places.query)]
    const host = places.hosts.map(value).find((one) => one !== '-') ?? ''
    return entryOf(requestOf(value(places.method), query === '-' ? stem : `${stem}?${query}`, host), {
      hasUser: value(places.user) !== '-',
      time,
      status,
      bytes: Number(value(places.bytes)),
      seconds: FROM_CACHE.test(value(places.result)) ? NaN : Number(value(places.took)) / shape.tookPerSecond
    })
  }
}

/** The places of the columns of a log; -1: the log has no such column. */
type Places =
  Readonly<Record<keyof typeof COLUMNS | 'count', number> & { hosts: readonly number[] }>

/** Returns the places of the columns; `undefined`: they are those of another format. */
function placesOf (names: readonly string[], { isOf, hosts }: W3cShape): Places | undefined {
  if (!isOf(names) || NEEDED.some((name) => !names.includes(COLUMNS[name]))) return undefined
  const all = Object.entries(COLUMNS).map(([part, name]) => [part, names.indexOf(name)])
  const places = Object.fromEntries(all) as Record<keyof typeof COLUMNS, number>
  return { ...places, count: names.length, hosts: hosts.map((name) => names.indexOf(name)).filter((place) => place !== -1) }
}
