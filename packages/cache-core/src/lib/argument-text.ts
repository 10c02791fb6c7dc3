import { createHash } from 'node:crypto'

/** The maximum length of the text of arguments in UTF-16 units; a longer text is replaced by its hash. */
const MAX_LENGTH = 256
/** The maximum depth of nested objects and arrays, which also ends a circular argument. */
const MAX_DEPTH = 32

/** The kind of an argument, or of a part of it, that has no text of its own: `a Date`, say. */
export class WithoutText {
  constructor (readonly kind: string) {}
}

/**
 * Returns the text of a call's arguments, by which calls are told apart: two lists of arguments have the same text only if they are equal.
 * It does not depend on the order of an object's members, and `undefined` at the end counts as absent. Strings, numbers, booleans, bigints,
 * `null` and `undefined`, and plain objects and arrays of them have a text. Any other value has none: the kind of the first one is returned.
 */
export function argumentText (args: readonly unknown[]): string | WithoutText {
  let { length } = args
  while (length > 0 && args[length - 1] === undefined) length--
  try {
    const text = args.slice(0, length).map((arg) => textOf(arg, 0)).join(',')
    // The first character of a text of arguments is never `#`.
    return text.length <= MAX_LENGTH ? text : `#${createHash('sha256').update(text).digest('base64url')}`
  } catch (error) {
    // The argument of the app may throw an error of its own, as a getter or a proxy does.
    return error instanceof WithoutText ? error : new WithoutText('an object that cannot be read')
  }
}

/** Returns a copy of a call's arguments that have a text, so that later changes of the caller's objects do not change it. */
export function copyOfArguments<A extends readonly unknown[]> (args: A): A {
  return args.some((arg) => typeof arg === 'object' && arg !== null) ? args.map(copyOf) as readonly unknown[] as A : args
}

function copyOf (value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(copyOf)
  const copy: object = Object.fromEntries(Object.entries(value).map(([name, member]) => [name, copyOf(member)]))
  return Object.getPrototypeOf(value) === null ? Object.setPrototypeOf(copy, null) : copy
}

function textOf (value: unknown, depth: number): string {
  switch (typeof value) {
    // Unpaired surrogates become escapes, so that the text is a valid key.
    case 'string': return JSON.stringify(value)
    case 'number': return Object.is(value, -0) ? '-0' : String(value)
    case 'bigint': return `${value}n`
    case 'boolean': case 'undefined': return String(value)
    case 'object': return value === null ? 'null' : objectText(value, depth)
    default: throw new WithoutText(`a ${typeof value}`)
  }
}

function objectText (value: object, depth: number): string {
  if (depth >= MAX_DEPTH) throw new WithoutText('a circular object, or one that is nested too deeply')
  const names = Object.keys(value)
  if (Object.getOwnPropertySymbols(value).length > 0) throw new WithoutText('an object with a symbol as a name')
  // The member `length` of an array is not enumerable.
  const hidden = Object.getOwnPropertyNames(value).length - names.length
  if (hidden > (Array.isArray(value) ? 1 : 0)) throw new WithoutText('an object with a member that is not enumerable')
  if (Array.isArray(value)) {
    if (Object.getPrototypeOf(value) !== Array.prototype) throw new WithoutText('an array of a class')
    if (names.length !== value.length || names.some((name, at) => name !== String(at))) throw new WithoutText('an array with holes or named members')
    return `[${value.map((member) => textOf(member, depth + 1)).join(',')}]`
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) throw new WithoutText('an object of a class')
  const members = names.sort().map((name) => `${JSON.stringify(name)}:${textOf(Reflect.get(value, name), depth + 1)}`)
  return `{${members.join(',')}}`
}
