import { memberOf } from '../../telemetry/stored-form.js'

/** The maximum number of paths of differing members that are returned. */
const MAX_PATHS = 8
/** The maximum number of characters in the path of a differing member. */
const MAX_PATH = 100
/** The number of members above which an object counts as a map, whose names are data. */
const MAX_NAMED = 32

/** A pair of parts at the same path in two values that are compared, with the path. */
interface Pair { readonly one: unknown; readonly other: unknown; readonly name: string; readonly parent: Pair | undefined }

/**
 * Returns the paths of the members in which two values of JSON, or of bytes, differ: `.items[].price`, or an empty text for the values
 * themselves. All items of an array share one path, and names of members that may be data are replaced by `[…]`. The order of members does
 * not count. At most eight paths are returned; an empty list means that the values are equal.
 */
export function differences (one: unknown, other: unknown): string[] {
  const paths = new Set<string>()
  const open: Pair[] = [{ one, other, name: '', parent: undefined }]
  for (let pair = open.pop(); pair !== undefined && paths.size < MAX_PATHS; pair = open.pop()) {
    const { one, other } = pair
    if (one === other) continue
    if (!isObject(one) || !isObject(other) || Array.isArray(one) !== Array.isArray(other) || isBytes(one) || isBytes(other)) {
      if (!isSameBytes(one, other)) paths.add(pathOf(pair))
    } else if (Array.isArray(one)) {
      if (one.length !== (other as unknown as unknown[]).length) paths.add(pathOf(pair))
      else for (let at = one.length - 1; at >= 0; at--) open.push({ one: one[at], other: (other as unknown as unknown[])[at], name: '[]', parent: pair })
    } else {
      compareMembers(one, other, pair, open)
    }
  }
  return [...paths]
}

/**
 * Adds the members of two objects to the pairs that are still to be compared, the first member on top. A missing member differs from every
 * value.
 */
function compareMembers (one: Record<string, unknown>, other: Record<string, unknown>, parent: Pair, open: Pair[]): void {
  const names = Object.keys(one)
  const added = Object.keys(other).filter((name) => !Object.hasOwn(one, name))
  const isMap = names.length + added.length > MAX_NAMED
  const all = [...names, ...added]
  for (let at = all.length - 1; at >= 0; at--) {
    const name = all[at]!
    open.push({
      // `undefined` is no value of JSON, so it stands for a missing member.
      one: Object.hasOwn(one, name) ? one[name] : undefined,
      other: Object.hasOwn(other, name) ? other[name] : undefined,
      name: isMap ? '[…]' : memberOf(name),
      parent
    })
  }
}

function pathOf (pair: Pair): string {
  const names: string[] = []
  for (let at: Pair | undefined = pair; at !== undefined; at = at.parent) names.push(at.name)
  const path = names.reverse().join('')
  return path.length > MAX_PATH ? `${path.slice(0, MAX_PATH)}…` : path
}

function isObject (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function isBytes (value: unknown): value is Uint8Array {
  return value instanceof Uint8Array
}

function isSameBytes (one: unknown, other: unknown): boolean {
  return isBytes(one) && isBytes(other) && Buffer.compare(one, other) === 0
}
