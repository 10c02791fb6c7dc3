import type { SerializerName } from '../contract/isolation.js'
import { isIdLike } from './key-pattern.js'

/** The maximum number of members that are checked in one value. */
const MAX_MEMBERS = 1000
/** The maximum number of characters of a member's path in a message. */
const MAX_PATH = 100

/** A member of a value that is still to be checked, with its path and its parent. */
interface Open { readonly part: unknown; readonly path: string; readonly parent: Open | undefined }

/** Kinds of values that the rich serializer reads as they were stored. */
const OF_RICH = new Set([
  'undefined', 'BigInt', 'NaN', 'Infinity', '-Infinity', 'Date', 'Map', 'Set', 'Buffer', 'ArrayBuffer', 'DataView', 'Int8Array', 'Uint8Array',
  'Uint8ClampedArray', 'Int16Array', 'Uint16Array', 'Int32Array', 'Uint32Array', 'Float16Array', 'Float32Array', 'Float64Array', 'BigInt64Array',
  'BigUint64Array'
])

/** Whether the rich serializer preserves a member that JSON changes; `change` describes it, such as `Date at .createdAt`. */
export function isKeptByRich (change: string): boolean {
  return OF_RICH.has(change.split(' at ', 1)[0]!)
}

/**
 * Returns the first member of a value that the serializer (JSON by default) changes or refuses, with its path: `Date at .createdAt`, `NaN
 * at .items[3]`, or `Map` for the value itself. `undefined`: no such member is among the first 1000. An object's member that is `undefined`
 * counts as unchanged: reading it after a hit gives `undefined`, too. Getters are not called, and a proxy that throws counts as unchanged.
 */
export function changeOf (value: unknown, serializer: SerializerName = 'json'): string | undefined {
  const isRich = serializer === 'rich'
  const open: Open[] = [{ part: value, path: '', parent: undefined }]
  try {
    for (let at = 0; at < open.length && at < MAX_MEMBERS; at++) {
      const member = open[at]!
      const { part, path } = member
      const kind = isOwnAncestor(member) ? 'a circle' : changedKind(part, path === '')
      if (kind !== undefined && isRich && isRichPart(part, kind)) {
        if (part instanceof Map || part instanceof Set) addParts(part, member, open)
        continue
      }
      if (kind !== undefined) return path === '' ? kind : `${kind} at ${path.length > MAX_PATH ? `${path.slice(0, MAX_PATH)}…` : path}`
      if (typeof part !== 'object' || part === null || part instanceof Uint8Array) continue
      const lost = lostMembers(part)
      if (lost !== undefined) return path === '' ? lost : `${lost} at ${path}`
      for (const name in part) {
        if (open.length >= MAX_MEMBERS) break
        const own = Object.getOwnPropertyDescriptor(part, name)
        if (own === undefined || !('value' in own)) continue
        if (Array.isArray(part)) open.push({ part: own.value, path: `${path}[${name}]`, parent: member })
        else if (own.value !== undefined) open.push({ part: own.value, path: path + memberOf(name), parent: member })
      }
    }
  } catch {
    // A proxy of the app threw when it was read. The check must not make a load fail.
  }
  return undefined
}

/**
 * Whether the rich serializer stores a part of this kind. The kind alone does not decide, since a class of the app may have the name of a
 * built-in class.
 */
function isRichPart (part: unknown, kind: string): boolean {
  if (!OF_RICH.has(kind)) return false
  return typeof part !== 'object' || part === null || Object.getPrototypeOf(part) === (Reflect.get(globalThis, kind) as { prototype?: unknown }).prototype
}

/** Adds the keys and values of a Map or Set to the parts to be checked. Their positions are not shown in the path. */
function addParts (part: Map<unknown, unknown> | Set<unknown>, parent: Open, open: Open[]): void {
  for (const entry of part.entries()) {
    for (const each of part instanceof Map ? entry : entry.slice(1)) {
      if (open.length >= MAX_MEMBERS) return
      open.push({ part: each, path: `${parent.path}[…]`, parent })
    }
  }
}

/** Returns a description of the members of an object that both serializers omit or fill up; `undefined`: the object has none. */
function lostMembers (part: object): string | undefined {
  if (Array.isArray(part)) return isPlainList(part) ? undefined : 'a list with holes or named members'
  return hasEnumerableSymbol(part) ? 'a member named by a symbol' : undefined
}

/** Whether an object has a member named by a symbol. One that is not enumerable is the mark of a library, which no code of the app reads. */
function hasEnumerableSymbol (part: object): boolean {
  return Object.getOwnPropertySymbols(part).some((symbol) => Object.prototype.propertyIsEnumerable.call(part, symbol))
}

/** Whether an array has an element at each index and no other members: JSON writes a hole as `null`, and omits a named member. */
function isPlainList (list: readonly unknown[]): boolean {
  const checked = Math.min(list.length, MAX_MEMBERS)
  for (let index = 0; index < checked; index++) if (!(index in list)) return false
  // Each index is a key, and `length` is one, so a greater number means that there are other keys. A driver's list of rows may have a
  // number of rows that is not enumerable.
  return list.length > MAX_MEMBERS || (Object.getOwnPropertyNames(list).length === list.length + 1 && !hasEnumerableSymbol(list))
}

/** Whether an object contains itself, which JSON refuses. An object that two members share does not contain itself. */
function isOwnAncestor ({ part, parent }: Open): boolean {
  if (typeof part !== 'object' || part === null) return false
  for (let above = parent; above !== undefined; above = above.parent) if (above.part === part) return true
  return false
}

/** Returns the name of a member for a log. A name that may be an id or an address is data, and is replaced by `[…]`. */
export function memberOf (name: string): string {
  return /^[A-Za-z_$][\w$]{0,31}$/.test(name) && !isIdLike(name) ? `.${name}` : '[…]'
}

/** Returns the kind of a value that JSON changes or refuses. A value that is nothing but bytes is stored as bytes, unchanged. */
function changedKind (value: unknown, isWhole: boolean): string | undefined {
  switch (typeof value) {
    // A loader returns `undefined` in order to store nothing, so a value that is `undefined` as a whole is no mistake.
    case 'undefined': return isWhole ? undefined : 'undefined'
    case 'function': case 'symbol': return typeof value
    case 'bigint': return 'BigInt'
    // JSON writes -0 as 0, which is not named: a response in JSON has 0 with and without a cache.
    case 'number': return Number.isFinite(value) ? undefined : String(value)
    case 'object': break
    default: return undefined
  }
  if (value === null) return undefined
  if (value instanceof Uint8Array) return isWhole ? undefined : value.constructor.name
  const prototype = Object.getPrototypeOf(value) as { constructor?: { name?: unknown } } | null
  if (prototype === null) return undefined
  // The prototype of a plain object has none itself, and that of a plain array has a plain object as its own.
  const above = Object.getPrototypeOf(prototype) as object | null
  if (above === null || (Array.isArray(value) && Object.getPrototypeOf(above) === null)) return undefined
  const name = prototype.constructor?.name
  return typeof name === 'string' && name !== '' ? name : 'an instance of a class'
}
