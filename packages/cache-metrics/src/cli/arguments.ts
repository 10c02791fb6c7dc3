import { parseArgs, type ParseArgsConfig } from 'node:util'
import { MAX_TTL } from '@x/cache-core/implementing'
import { DEFAULT_WISHES } from '../advisor/report/advice.js'
import { MIN_OBSERVED_SECONDS } from '../advisor/report/go-no-go-gates.js'
import { DEFAULT_ENTRIES, DEFAULT_TTLS } from '../advisor/curve/curve-options.js'
import { AdvisorError } from './errors.js'
import { FIELDS_FORMAT, formatOfFields } from './logs/json-formats.js'
import { LOG_FORMATS } from './logs/log-formats.js'
import { INPUT_FORMATS, KEYS } from './trace-lines.js'
import { readServer, type Server } from './server.js'
import type { AppSource, PrometheusSource, TraceSource } from './sources.js'

/** A parsed command line of `cache-advisor`. */
export interface Command {
  readonly name: 'report' | 'plan' | 'gates'
  readonly source: AppSource | PrometheusSource | TraceSource
  readonly format: 'markdown' | 'text' | 'json'
}

/** The actions of `cache-advisor rollout`; `status` changes nothing. */
export const ROLLOUT_ACTIONS = ['status', 'pause', 'resume', 'back', 'to', 'off'] as const

/** A parsed command line of `cache-advisor rollout`. */
export interface RolloutCommand {
  readonly name: 'rollout'
  readonly action: typeof ROLLOUT_ACTIONS[number]
  /** The percent of cached subjects that the rollout action `to` sets. */
  readonly percent: number | undefined
  /** The key pattern that the operator's action is for; `undefined`: the whole rollout. */
  readonly pattern: string | undefined
  readonly server: Server
  readonly format: Command['format']
}

type Kind = Command['source']['kind']
const SOURCES: readonly Kind[] = ['app', 'prometheus', 'trace']
/** The kinds of source (app, Prometheus, trace) for which each command line option is allowed. */
const OPTIONS: Readonly<Record<string, readonly Kind[]>> = {
  app: SOURCES,
  prometheus: SOURCES,
  trace: SOURCES,
  format: SOURCES,
  header: ['app', 'prometheus'],
  window: ['prometheus'],
  selector: ['prometheus'],
  'log-format': ['trace'],
  fields: ['trace'],
  rate: ['trace'],
  ttl: ['trace'],
  entries: ['trace'],
  'load-ms': ['trace'],
  'value-bytes': ['trace'],
  'min-requests': ['trace'],
  'min-days': ['prometheus', 'trace']
}
/** The command line options that may be given more than once. */
const REPEATED: readonly string[] = ['header', 'app']
const SPELLING: NonNullable<ParseArgsConfig['options']> = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
  pattern: { type: 'string' },
  ...Object.fromEntries(Object.keys(OPTIONS).map((name) => [name, { type: 'string' } as const]))
}
const COMMANDS = ['report', 'plan', 'gates', 'rollout'] as const
const ROLLOUT_OPTIONS: readonly string[] = ['app', 'header', 'format', 'pattern']
const FORMATS = ['markdown', 'text', 'json'] as const
const MAX_LIST = 12
const SECONDS_PER_DAY = 86_400
const UNITS: Readonly<Record<string, number>> = {
  s: 1, m: 60, h: 3600, d: SECONDS_PER_DAY, w: 7 * SECONDS_PER_DAY, y: 365 * SECONDS_PER_DAY
}

/**
 * Parses the command line of `cache-advisor`.
 * @throws `CACHE_ERR_ADVISOR` for unknown or contradictory arguments
 */
export function readArguments (argv: readonly string[]): Command | RolloutCommand | 'help' | 'version' {
  const { values, headers, apps, positionals } = parse(argv)
  if (values.has('help')) return 'help'
  if (values.has('version')) return 'version'
  if (positionals[0] === 'rollout' && apps.length > 1) throw wrong('A rollout is that of one app: give --app once')
  if (positionals[0] === 'rollout') return readRollout(values, headers, positionals)
  // The error message does not repeat an unexpected argument, since it may be the value of a header whose option is missing.
  if (positionals.length > 1) throw wrong('There is one command, and options: quote values with spaces')
  const name = oneOf('The command', positionals[0], COMMANDS) as Command['name']
  if (values.has('pattern')) throw wrong('--pattern goes with the command rollout')
  const format = oneOf('--format', values.get('format') ?? 'markdown', FORMATS)
  const kinds = SOURCES.filter((source) => values.has(source))
  if (kinds.length !== 1) throw wrong(`${kinds.length === 0 ? 'There is no source' : 'There is more than one source'}: give one of --app, --prometheus and --trace`)
  const kind = kinds[0]!
  for (const option of values.keys()) {
    if (!OPTIONS[option]!.includes(kind)) throw wrong(`--${option} goes with ${OPTIONS[option]!.map((each) => `--${each}`).join(' or ')}, not with --${kind}`)
  }
  if (name === 'plan' && kind === 'prometheus') throw wrong('A plan needs --app or --trace: Prometheus has no hit-rate curves')
  const source = kind === 'app' ? readApps(apps, headers) : kind === 'prometheus' ? readPrometheus(values, headers) : readTrace(values)
  return { name, source, format }
}

type Values = ReadonlyMap<string, string>

function parse (
  argv: readonly string[]
): { values: Values, headers: readonly string[], apps: readonly string[], positionals: readonly string[] } {
  let parsed
  try {
    parsed = parseArgs({ args: [...argv], options: SPELLING, allowPositionals: true, tokens: true })
  } catch (error) {
    // Only the first sentence of Node's message is used, since the others do not describe the error.
    const [sentence] = (error as Error).message.split(/\.(?:\s|$)/, 1)
    throw wrong(sentence!.replace(/^Option '(.*)' argument is ambiguous$/, '$1 takes a value, and what follows begins with -'))
  }
  const values = new Map<string, string>()
  const headers: string[] = []
  const apps: string[] = []
  for (const token of parsed.tokens) {
    if (token.kind !== 'option') continue
    if (token.name === 'header') headers.push(token.value!)
    if (token.name === 'app') apps.push(token.value!)
    if (values.has(token.name) && !REPEATED.includes(token.name)) throw wrong(`--${token.name} is given twice`)
    values.set(token.name, token.value ?? '')
  }
  return { values, headers, apps, positionals: parsed.positionals }
}

function readRollout (values: Values, headers: readonly string[], [, word, number, ...more]: readonly string[]): RolloutCommand {
  const action = oneOf('What follows rollout', word, ROLLOUT_ACTIONS)
  for (const option of values.keys()) if (!ROLLOUT_OPTIONS.includes(option)) throw wrong(`--${option} does not go with rollout, whose options are --app, --header, --format and --pattern`)
  const app = values.get('app')
  if (app === undefined) throw wrong('There is no app: give --app URL')
  if (more.length > 0 || (number !== undefined && action !== 'to')) throw wrong(`There is more than "rollout ${action}${action === 'to' ? ' N' : ''}": quote values with spaces`)
  const percent = number === undefined ? undefined : toNumber(number)
  if (action === 'to' && !(percent! >= 0 && percent! <= 100)) throw wrong(`"rollout to" takes a percent from 0 to 100${number === undefined ? '' : `, not ${quote(number)}`}`)
  const pattern = values.get('pattern')
  if (pattern !== undefined && (action === 'pause' || action === 'back' || action === 'status')) throw wrong(`--pattern goes with "rollout to", "rollout off" and "rollout resume", not with "rollout ${action}"`)
  return { name: 'rollout', action, percent, pattern, server: readServer('--app', app, headers), format: oneOf('--format', values.get('format') ?? 'markdown', FORMATS) }
}

function readApps (apps: readonly string[], headers: readonly string[]): AppSource {
  const [server, ...others] = apps.map((app) => readServer('--app', app, headers))
  return { kind: 'app', server: server!, others }
}

function readPrometheus (values: Values, headers: readonly string[]): PrometheusSource {
  return {
    kind: 'prometheus',
    server: readServer('--prometheus', values.get('prometheus')!, headers),
    windowSeconds: duration('--window', values.get('window') ?? '7d'),
    selector: (values.get('selector') ?? '').trim().replace(/^\{(.*)\}$/s, '$1').replace(/,\s*$/, ''),
    minSeconds: minSeconds(values)
  }
}

function readTrace (values: Values): TraceSource {
  const loadMs = number(values, 'load-ms', 0, 86_400_000)
  return {
    kind: 'trace',
    file: values.get('trace')!,
    logFormat: logFormat(values),
    rate: number(values, 'rate', 0.000_001, 1e9) ?? 20,
    ttls: list(values, 'ttl', (ttl) => ttl > 0 && ttl <= MAX_TTL, `above 0, ${MAX_TTL} at most`) ?? DEFAULT_TTLS,
    entries: list(values, 'entries', (size) => Number.isInteger(size) && size >= 1 && size <= 1e9, 'whole, from 1 to 1000000000') ?? DEFAULT_ENTRIES,
    loadSeconds: loadMs === undefined ? undefined : loadMs / 1000,
    valueBytes: wholeNumber(values, 'value-bytes', 0),
    wishes: { ...DEFAULT_WISHES, minRequests: wholeNumber(values, 'min-requests', 0) ?? DEFAULT_WISHES.minRequests },
    minSeconds: minSeconds(values)
  }
}

function logFormat (values: Values): TraceSource['logFormat'] {
  const [name, fields] = [values.get('log-format'), values.get('fields')]
  if (fields !== undefined) {
    if (name !== undefined && name !== FIELDS_FORMAT) throw wrong(`--fields goes with --log-format ${FIELDS_FORMAT} or without --log-format`)
    return formatOfFields(fields)
  }
  if (name === undefined) return undefined
  if (name === FIELDS_FORMAT) throw wrong(`--log-format ${FIELDS_FORMAT} needs --fields`)
  if (oneOf('--log-format', name, INPUT_FORMATS) === KEYS) return KEYS
  return LOG_FORMATS.find((format) => format.name === name)
}

function minSeconds (values: Values): number {
  const days = number(values, 'min-days', 0, 3650)
  // The option `--min-days 0` becomes the smallest positive number of seconds, since gates need some observed time.
  return days === undefined ? MIN_OBSERVED_SECONDS : Math.max(days * SECONDS_PER_DAY, Number.MIN_VALUE)
}

function number (values: Values, name: string, min: number, max: number): number | undefined {
  const text = values.get(name)
  if (text === undefined) return undefined
  const value = toNumber(text)
  if (value >= min && value <= max) return value
  throw wrong(`--${name} takes a number from ${min} to ${max}, not ${quote(text)}`)
}

function wholeNumber (values: Values, name: string, min: number): number | undefined {
  const value = number(values, name, min, 1e12)
  if (value === undefined || Number.isInteger(value)) return value
  throw wrong(`--${name} takes a whole number, not ${quote(values.get(name)!)}`)
}

function list (values: Values, name: string, isAllowed: (value: number) => boolean, allowed: string): number[] | undefined {
  const text = values.get(name)
  if (text === undefined) return undefined
  const all = [...new Set(text.split(',').map((part) => toNumber(part.trim())))]
  if (all.length <= MAX_LIST && all.every(isAllowed)) return all
  throw wrong(`--${name} takes up to ${MAX_LIST} numbers with commas between them, ${allowed}, not ${quote(text)}`)
}

function duration (name: string, text: string): number {
  const seconds = [...text.matchAll(/(\d{1,9})([smhdwy])/g)].reduce((sum, [, count, unit]) => sum + Number(count) * UNITS[unit!]!, 0)
  if (/^(\d{1,9}[smhdwy])+$/.test(text) && seconds >= 60 && seconds <= 10 * UNITS.y!) return seconds
  throw wrong(`${name} takes a duration from 1m to 10y, such as 12h or 7d, not ${quote(text)}`)
}

function oneOf<T extends string> (what: string, value: string | undefined, allowed: readonly T[]): T {
  if (allowed.includes(value as T)) return value as T
  throw wrong(`${what} is one of ${allowed.join(', ')}${value === undefined ? '' : `, not ${quote(value)}`}`)
}

/** Parses a text as a plain decimal number; NaN for any other text. */
function toNumber (text: string): number {
  return /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN
}

function quote (text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)
}

function wrong (sentence: string): Error {
  return new AdvisorError(`${sentence} (see cache-advisor --help)`)
}
