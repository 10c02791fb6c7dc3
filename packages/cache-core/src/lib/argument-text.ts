import { createHash } from 'node:crypto'

/** The maximum length of the text of arguments in UTF-16 units; a longer text is replaced by its hash. */
const MAX_LENGTH = 256
/** The maximum depth of nested objects and arrays in an argument; a deeper one, such as a circular one, has no text. */
const MAX_DEPTH = 32

/** The kind of an argument, or of a part of it, that has no text, for error messages: `a symbol`, for example. */
export class WithoutText {
  constructor (readonly kind: string) {}
}

/**
 * Returns the text of a call's arguments. Two lists of arguments have the same text only if they are equal. The order of an object's
 * members does not affect the text, and `undefined` at the end counts as absent. Strings, numbers, booleans, bigints, `null`, `undefined`,
 * Dates, and plain objects and arrays of these have a text. For any other value the kind of the first such value is returned.
 */
export function argumentText (args: readonly unknown[]): string | WithoutText {
  let { length } = args
  while (length > 0 && args[length - 1] === undefined) length--
  try {
    const text = args.slice(0, length).map((arg) => textOf(arg, 0)).join(',')
    // The hash of a long text begins with `#`, which is never the first character of an unhashed text.
    return text.length <= MAX_LENGTH ? text : `#${createHash('sha256').update(text).digest('base64url')}`
  } catch (error) {
    // A getter or a proxy in an argument of the app may throw an error of its own.
    return error instanceof WithoutText ? error : new WithoutText('an object that cannot be read')
  }
}

/** Copies the arguments of a call, each of which must have a text; later changes of the caller's objects do not change the copy. */
export function copyOfArguments<A extends readonly unknown[]> (args: A): A {
  return args.some((arg) => typeof arg === 'object' && arg !== null) ? args.map(copyOf) as readonly unknown[] as A : args
}

function copyOf (value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(copyOf)
  if (isDate(value)) return new Date(timeOf(value))
  const copy: object = Object.fromEntries(Object.entries(value).map(([name, member]) => [name, copyOf(member)]))
  return Object.getPrototypeOf(value) === null ? Object.setPrototypeOf(copy, null) : copy
}

function textOf (value: unknown, depth: number): string {
  switch (typeof value) {
    // `JSON.stringify` writes unpaired surrogates as escapes, so that the text is a valid key.
    case 'string': return stringText(value)
    case 'number': return Object.is(value, -0) ? '-0' : numberText(value)
    case 'bigint': return `${value}n`
    case 'boolean': return String(value)
    case 'undefined': return '0undefined'
    case 'object': return value === null ? '0null' : objectText(value, depth)
    default: throw new WithoutText(`a ${typeof value}`)
  }
}

/**
 * Words that `Doubts` reports in a key as failed interpolations, and the escapes of JSON. Arguments may have these words: the text of a
 * string has an escape in place of the first letter, and the arguments `null`, `undefined` and `NaN` are `0null`, `0undefined` and `0NaN`.
 */
const REPORTED = /\\[nf](?=ull|unction)|\\.|undefined|null|NaN|Invalid Date|\[object |function|=>/g

/**
 * Returns a string as a JSON string literal that `JSON.parse` reads as the same string, so that two strings never have the same text.
 */
function stringText (value: string): string {
  const text = JSON.stringify(value)
  return text.replace(REPORTED, (part) => {
    if (part === '\\n') return '\\u000a'
    if (part === '\\f') return '\\u000c'
    return part.startsWith('\\') ? part : `\\u00${part.charCodeAt(0).toString(16)}${part.slice(1)}`
  })
}

function numberText (value: number): string {
  return Number.isNaN(value) ? '0NaN' : String(value)
}

function objectText (value: object, depth: number): string {
  if (depth >= MAX_DEPTH) throw new WithoutText('a circular object, or one that is nested too deeply')
  const names = Object.keys(value)
  if (Object.getOwnPropertySymbols(value).length > 0) throw new WithoutText('an object with a symbol as a name')
  // An array always has one own property that is not enumerable, its `length`; any other such property is refused.
  const hidden = Object.getOwnPropertyNames(value).length - names.length
  if (hidden > (Array.isArray(value) ? 1 : 0)) throw new WithoutText('an object with a member that is not enumerable')
  if (Array.isArray(value)) {
    if (Object.getPrototypeOf(value) !== Array.prototype) throw new WithoutText('an array of a class')
    if (names.length !== value.length || names.some((name, at) => name !== String(at))) throw new WithoutText('an array with holes or named members')
    return `[${value.map((member) => textOf(member, depth + 1)).join(',')}]`
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (isDate(value) && names.length === 0) return `Date(${numberText(timeOf(value))})`
  if (prototype !== Object.prototype && prototype !== null) throw new WithoutText('an object of a class')
  const members = names.sort().map((name) => `${stringText(name)}:${textOf(Reflect.get(value, name), depth + 1)}`)
  return `{${members.join(',')}}`
}

/** Whether a value is of the class Date itself: a subclass may have a state of its own. */
function isDate (value: object): value is Date {
  return Object.getPrototypeOf(value) === Date.prototype
}

/** Returns the time of a Date by `Date.prototype.getTime`, never by a method `getTime` that the app may have added to this Date. */
function timeOf (value: Date): number {
  return Date.prototype.getTime.call(value)
}
