import type { Static, TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { OptionInvalid } from './errors.js'
import { kindOf, shown } from './shown.js'

/**
 * Returns the options if they match the schema.
 * @param path the place of the options, for the message; an empty text for the options of a plugin
 * @throws `CACHE_ERR_OPTION_INVALID` with the path, the value and the allowed values
 */
export function checked<S extends TSchema> (of: S, options: unknown, path = ''): Static<S> {
  if (Value.Check(of, options)) return options as Static<S>
  throw describe(of, options, path === '' ? [] : [path])
}

/**
 * Copies the objects and lists that the schema describes, without members that are `undefined`: filling in defaults changes its argument,
 * which belongs to the app. Values that the schema leaves open, such as live objects, are not copied.
 */
export function copyBy (of: TSchema | undefined, value: unknown): unknown {
  if (Array.isArray(value)) {
    const items = partOf(of, '0')
    return items === undefined ? value : value.map((item) => copyBy(items, item))
  }
  if (typeof value !== 'object' || value === null || propertiesOf(of) === undefined) return value
  const entries = Object.entries(value).filter(([, part]) => part !== undefined)
  return Object.fromEntries(entries.map(([name, part]) => [name, copyBy(partOf(of, name), part)]))
}

/**
 * Returns a copy of the options, as `copyBy` makes it, with the defaults of the schema. Typebox clones the plain objects in a union. Where
 * the schema gives no type, the clone is replaced by the object of the app, since the app may go on to use and change that object.
 */
export function withDefaults (of: TSchema, options: unknown): unknown {
  const given = copyBy(of, options)
  return putBack(of, Value.Default(of, copyBy(of, given)), given)
}

function putBack (of: TSchema, filled: unknown, given: unknown): unknown {
  if (typeof given !== 'object' || given === null) return filled
  const properties = propertiesOf(of)
  if (properties === undefined) return isOpen(of) ? given : filled
  const parts = filled as Record<string, unknown>
  for (const [name, part] of Object.entries(given)) {
    if (Object.hasOwn(properties, name)) parts[name] = putBack(properties[name]!, parts[name], part)
  }
  return filled
}

function isOpen (of: TSchema): boolean {
  const { type, anyOf } = of as SchemaParts & { type?: string }
  return anyOf?.some(isOpen) ?? type === undefined
}

interface SchemaParts { properties?: Record<string, TSchema>; items?: TSchema; anyOf?: TSchema[] }
interface NumberParts {
  type?: string
  anyOf?: TSchema[]
  minimum?: number
  exclusiveMinimum?: number
  maximum?: number
  exclusiveMaximum?: number
}

/** The properties of an object schema, or of the object schema in a union. */
function propertiesOf (of: TSchema | undefined): Record<string, TSchema> | undefined {
  const { properties, anyOf } = (of ?? {}) as SchemaParts
  return properties ?? anyOf?.map(propertiesOf).find((each) => each !== undefined)
}

function partOf (of: TSchema | undefined, name: string): TSchema | undefined {
  const properties = propertiesOf(of)
  if (properties !== undefined) return Object.hasOwn(properties, name) ? properties[name] : undefined
  const { items, anyOf } = (of ?? {}) as SchemaParts
  return items ?? anyOf?.map((each) => partOf(each, name)).find((each) => each !== undefined)
}

function describe (of: TSchema, options: unknown, path: readonly string[]): Error {
  // If a value matches no alternative of a union, each alternative reports an error. The deepest path is that of the mistake. The message
  // lists what all errors on that path allow.
  const errors = Value.Errors(of, options)
  const unknown = errors.find(({ keyword }) => keyword === 'additionalProperties')
  const worst = unknown ?? errors.reduce((worst, each) => each.instancePath.length >= worst.instancePath.length ? each : worst)
  const at = worst.instancePath.split('/').slice(1)
  if (unknown !== undefined) {
    const { additionalProperties } = unknown.params as { additionalProperties: string[] }
    const known = Object.keys(propertiesOf(at.reduce(partOf, of as TSchema | undefined)) ?? {})
    return new OptionInvalid([...path, ...at, additionalProperties[0]!].join('.'), 'an unknown option', known.join(', '))
  }
  const got = at.reduce<any>((part, name) => part?.[name], options)
  const allowed = errors
    .filter(({ instancePath }) => instancePath === worst.instancePath)
    .flatMap(({ keyword, params, message }) => {
      if (keyword === 'anyOf') return []
      if (keyword === 'required') return [`an object with ${(params as { requiredProperties: string[] }).requiredProperties.join(', ')}`]
      if (keyword === 'const') return [JSON.stringify((params as { allowedValue: unknown }).allowedValue)]
      if (OF_NUMBERS.has(keyword) || isNumberType(params)) return [numberIn(at.reduce(partOf, of as TSchema | undefined)) ?? message.replace(/^must be /, '')]
      return [message.replace(/^must not have fewer than/, 'at least').replace(/^must not have more than/, 'at most').replace(/^must be /, '')]
    })
  return new OptionInvalid([...path, ...at].join('.') || 'options', SECRET.test(at.join('.')) ? kindOf(got) : shown(got), [...new Set(allowed)].join(' or '))
}

const OF_NUMBERS: ReadonlySet<string> = new Set(['minimum', 'exclusiveMinimum', 'maximum', 'exclusiveMaximum'])

function isNumberType (params: object): boolean {
  const { type } = params as { type?: unknown }
  return type === 'number' || type === 'integer'
}

/** Returns the numbers that a schema, or an alternative of it, allows, with their bounds; `undefined`: it allows no number. */
function numberIn (of: TSchema | undefined): string | undefined {
  const { type, anyOf, minimum, exclusiveMinimum, maximum, exclusiveMaximum } = (of ?? {}) as NumberParts
  if (anyOf !== undefined) return anyOf.map(numberIn).find((each) => each !== undefined)
  if (type !== 'number' && type !== 'integer') return undefined
  const kind = type === 'number' ? 'a number' : 'a whole number'
  if (minimum !== undefined && maximum !== undefined) return `${kind} from ${minimum} to ${maximum}`
  const low = exclusiveMinimum === undefined ? minimum === undefined ? [] : [`of at least ${minimum}`] : [`above ${exclusiveMinimum}`]
  const high = exclusiveMaximum === undefined ? maximum === undefined ? [] : [`at most ${maximum}`] : [`below ${exclusiveMaximum}`]
  return [kind, [...low, ...high].join(' and ')].join(' ').trim()
}

/** Options whose value an error never shows: credentials, and options that may contain a URL. */
const SECRET = /pass|secret|token|credential|auth|user|tls|url|varnish|^nodes(\.\d+)?$/i
