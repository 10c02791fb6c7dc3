import { endianness } from 'node:os'
import { types } from 'node:util'

/**
 * A text of JSON in which values that JSON lacks are objects with the one member `~`: `{"~":["Date",0]}`. The names of other members that
 * begin with `~` have a further `~` in front. A value without such parts is plain JSON text.
 */
export interface RichText { readonly text: string; readonly isRich: boolean }

const MARK = '~'
const MARK_CODE = MARK.charCodeAt(0)
/** The maximum depth of a value: encoding and decoding are recursive, and the depth of a circular value has no end. */
const MAX_DEPTH = 500
const IS_BIG_ENDIAN = endianness() === 'BE'
/** The classes of typed arrays by name. A stored typed array cannot be read if this version of Node.js lacks its class. */
const VIEWS: ReadonlyMap<string, ViewClass> = new Map([
  'Int8Array', 'Uint8Array', 'Uint8ClampedArray', 'Int16Array', 'Uint16Array', 'Int32Array', 'Uint32Array', 'Float16Array', 'Float32Array',
  'Float64Array', 'BigInt64Array', 'BigUint64Array'
].flatMap((name) => {
  const found = Reflect.get(globalThis, name) as ViewClass | undefined
  return found === undefined ? [] : [[name, found]]
}))

interface ViewClass { readonly BYTES_PER_ELEMENT: number; new (buffer: ArrayBuffer): NodeJS.TypedArray }

/**
 * Returns the text of a value with its parts of the types Date, Map, Set, BigInt and typed array, `undefined`, `NaN`, `±Infinity` and `-0`.
 * Other values are those of JSON.
 * @throws for a value that has no text: a function, a circle, or more than 500 levels
 */
export function toRichText (value: unknown): RichText {
  if (isPlainJson(value, 0)) return { text: JSON.stringify(value), isRich: false }
  const encoder = new Encoder()
  const encoded = encoder.encode('', value, 0)
  const text = JSON.stringify(encoder.isRich ? encoded : value) as string | undefined
  if (text === undefined) throw new TypeError(`there is no text for ${typeof value}`)
  return { text, isRich: encoder.isRich }
}

/**
 * Returns the value of a text that has rich parts.
 * @throws if the text was not made by `toRichText`
 */
export function fromRichText (text: string): unknown {
  return decode(JSON.parse(text), 0)
}

/**
 * Whether a value surely needs no encoding: it has no rich part, no member name that begins with `~`, and no `toJSON`. The check takes a
 * fraction of the encoder's time; a value that it does not recognise may still be plain JSON.
 */
function isPlainJson (value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'string': case 'boolean': return true
    case 'number': return Number.isFinite(value) && !Object.is(value, -0)
    case 'object': break
    default: return false
  }
  if (value === null) return true
  if (depth > MAX_DEPTH) return false
  if (Array.isArray(value)) {
    for (let at = 0; at < value.length; at++) if (!isPlainJson(value[at], depth + 1)) return false
    return true
  }
  if (Object.getPrototypeOf(value) !== Object.prototype) return false
  for (const name in value) {
    if (name.charCodeAt(0) === MARK_CODE || !isPlainJson((value as Record<string, unknown>)[name], depth + 1)) return false
  }
  return true
}

/** Makes a value of JSON from a value with rich parts. Parts without rich parts are not copied. */
class Encoder {
  isRich = false

  encode (name: string | number, value: unknown, depth: number): unknown {
    switch (typeof value) {
      case 'string': case 'boolean': case 'function': case 'symbol': return value
      case 'number': return Number.isFinite(value) && !Object.is(value, -0) ? value : this.#rich('number', Object.is(value, -0) ? '-0' : String(value))
      case 'bigint': return this.#rich('BigInt', value.toString(16))
      case 'undefined': return this.#rich('undefined')
    }
    if (typeof value !== 'object' || value === null) return value
    if (depth > MAX_DEPTH) throw new RangeError('the value is a circle, or too deep')
    if (Array.isArray(value)) return this.#list(value, depth)
    const prototype: unknown = Object.getPrototypeOf(value)
    const special = prototype === Object.prototype || prototype === null ? value : this.#special(value, depth)
    if (special !== value) return special
    const { toJSON } = value as { toJSON?: unknown }
    return typeof toJSON === 'function' ? this.encode(name, toJSON.call(value, String(name)), depth + 1) : this.#object(value as Record<string, unknown>, depth)
  }

  #rich (type: string, data?: unknown): object {
    this.isRich = true
    return { [MARK]: data === undefined ? [type] : [type, data] }
  }

  /** Encodes an object that is neither plain nor an array. Returns the object itself if it is encoded as by `JSON.stringify`. */
  #special (value: object, depth: number): unknown {
    if (types.isDate(value)) {
      const time = value.getTime()
      return this.#rich('Date', Number.isNaN(time) ? null : time)
    }
    if (types.isMap(value)) return this.#rich('Map', this.#list([...value], depth))
    if (types.isSet(value)) return this.#rich('Set', this.#list([...value], depth))
    if (ArrayBuffer.isView(value)) return this.#view(value)
    if (types.isAnyArrayBuffer(value)) return this.#rich('ArrayBuffer', Buffer.from(value as ArrayBuffer).toString('base64'))
    return types.isBoxedPrimitive(value) ? this.encode('', value.valueOf(), depth + 1) : value
  }

  #view (value: ArrayBufferView): object {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    if (Buffer.isBuffer(value)) return this.#rich('Buffer', bytes.toString('base64'))
    const name = (value as { [Symbol.toStringTag]?: string })[Symbol.toStringTag] ?? ''
    const found = VIEWS.get(name)
    return found === undefined ? this.#rich('DataView', bytes.toString('base64')) : this.#rich(name, inLittleEndian(bytes, found.BYTES_PER_ELEMENT).toString('base64'))
  }

  #list (list: readonly unknown[], depth: number): unknown[] {
    let copy: unknown[] | undefined
    for (let at = 0; at < list.length; at++) {
      const encoded = this.encode(at, list[at], depth + 1)
      if (copy !== undefined) copy.push(encoded)
      else if (encoded !== list[at]) copy = [...list.slice(0, at), encoded]
    }
    return copy ?? list as unknown[]
  }

  #object (value: Record<string, unknown>, depth: number): object {
    let entries: [string, unknown][] | undefined
    const names = Object.keys(value)
    for (let at = 0; at < names.length; at++) {
      const name = names[at]!
      const part = value[name]
      const encoded = this.encode(name, part, depth + 1)
      const isMarked = name.charCodeAt(0) === MARK_CODE
      // A copy is made only at the first part that differs from its encoded form, so that a value of plain JSON is not copied.
      if (entries === undefined && (isMarked || encoded !== part)) entries = names.slice(0, at).map((each) => [each, value[each]])
      entries?.push([isMarked ? MARK + name : name, encoded])
    }
    return entries === undefined ? value : Object.fromEntries(entries)
  }
}

/** Replaces the objects that stand for rich parts, in a value parsed from JSON, by those parts; changes the value in place. */
function decode (value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (depth > 2 * MAX_DEPTH) throw new RangeError('the value is too deep')
  if (Array.isArray(value)) {
    for (let at = 0; at < value.length; at++) value[at] = decode(value[at], depth + 1)
    return value
  }
  if (Object.hasOwn(value, MARK)) return special((value as { [MARK]: unknown })[MARK], depth)
  const object = value as Record<string, unknown>
  let isMarked = false
  for (const name of Object.keys(object)) {
    object[name] = decode(object[name], depth + 1)
    if (name.startsWith(MARK)) isMarked = true
  }
  if (!isMarked) return object
  return Object.fromEntries(Object.entries(object).map(([name, part]) => [name.startsWith(MARK) ? name.slice(MARK.length) : name, part]))
}

function special (node: unknown, depth: number): unknown {
  if (!Array.isArray(node)) throw new TypeError('a rich part that is no list')
  const [type, data] = node as unknown[]
  switch (type) {
    case 'undefined': return undefined
    case 'number': return numberOf(data)
    case 'BigInt': return bigIntOf(data)
    case 'Date':
      if (data !== null && typeof data !== 'number') break
      return new Date(data ?? NaN)
    case 'Map': return new Map(listIn(data).map((pair) => {
      const [key, part] = listIn(pair)
      return [decode(key, depth + 1), decode(part, depth + 1)]
    }))
    case 'Set': return new Set(listIn(data).map((part) => decode(part, depth + 1)))
    case 'Buffer': return Buffer.from(bufferOf(data))
    case 'ArrayBuffer': return bufferOf(data)
    case 'DataView': return new DataView(bufferOf(data))
  }
  const View = VIEWS.get(String(type))
  if (View === undefined) throw new TypeError('a rich part of an unknown type')
  return new View(bufferOf(data, View.BYTES_PER_ELEMENT))
}

function listIn (data: unknown): unknown[] {
  if (Array.isArray(data)) return data
  throw new TypeError('a rich part without its list')
}

function numberOf (data: unknown): number {
  const number = data === '-0' ? -0 : Number(data)
  if (typeof data === 'string' && (data === '-0' || data === 'NaN' || data === 'Infinity' || data === '-Infinity')) return number
  throw new TypeError('a rich number that is none')
}

/** The text of a BigInt is hexadecimal, since the time to parse a decimal text grows faster than its length. */
function bigIntOf (data: unknown): bigint {
  const found = typeof data === 'string' ? /^(-?)([0-9a-f]+)$/.exec(data) : null
  if (found === null) throw new TypeError('a BigInt that is none')
  const value = BigInt(`0x${found[2]!}`)
  return found[1] === '-' ? -value : value
}

/** The bytes of a base64 text in an ArrayBuffer of their own, whatever the byte order of this machine is. */
function bufferOf (data: unknown, elementBytes = 1): ArrayBuffer {
  if (typeof data !== 'string') throw new TypeError('bytes that are no text')
  const bytes = inLittleEndian(Buffer.from(data, 'base64'), elementBytes)
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer
}

/** Changes the byte order of a typed array's elements between that of this machine and little endian. */
function inLittleEndian (bytes: Buffer, elementBytes: number): Buffer {
  if (!IS_BIG_ENDIAN || elementBytes === 1) return bytes
  const copy = Buffer.from(bytes)
  return elementBytes === 2 ? copy.swap16() : elementBytes === 4 ? copy.swap32() : copy.swap64()
}
