import { fieldText, parseEntityTag, parseHttpDate, strongMatch, type HeaderFields } from '@x/cache-core/suite'

/** A range of bytes, with the positions of the first and of the last byte. */
export interface ByteRange { readonly first: number; readonly last: number }

/** The maximum number of ranges in a request. A request for more ranges gets the whole representation (RFC 9110 §14.2). */
const MAX_RANGES = 16
/**
 * The number of bytes between two ranges up to which the ranges are joined, since the headers of a separate part would be longer (RFC 9110
 * §15.3.7.2).
 */
const MAX_GAP = 80
/**
 * The minimum number of milliseconds between `Last-Modified` and `Date` for the date to be a strong validator. RFC 9110 §8.8.2.2 asks for
 * one second; a minute also allows for two clocks that differ.
 */
const STRONG_AFTER_MS = 60_000
const UNIT = /^bytes=/i
const INT_RANGE = /^(\d+)-(\d*)$/
const SUFFIX_RANGE = /^-(\d+)$/

/**
 * The ranges of a representation that `Range` asks for (RFC 9110 §14.1.2), in ascending order; ranges that overlap or are close to each
 * other are one. `'whole'`: the field has another unit, is invalid or has too many ranges, and is ignored. `'unsatisfiable'`: no range
 * overlaps the representation.
 * @param size of the representation in bytes
 */
export function rangesIn (field: string, size: number): 'whole' | 'unsatisfiable' | readonly ByteRange[] {
  const unit = UNIT.exec(field)
  if (unit === null) return 'whole'
  // Empty members of the list do not count (RFC 9110 §5.6.1.2), so the limit applies to the other members.
  const specs = field.slice(unit[0].length).split(',').map((spec) => spec.trim()).filter((spec) => spec !== '')
  if (specs.length === 0 || specs.length > MAX_RANGES) return 'whole'
  const ranges = specs.map((spec) => rangeIn(spec, size))
  if (ranges.includes('invalid')) return 'whole'
  const satisfiable = ranges.filter((range) => typeof range === 'object').sort((a, b) => a.first - b.first)
  return satisfiable.length === 0 ? 'unsatisfiable' : joined(satisfiable)
}

/**
 * Whether `If-Range` allows a part of this representation (RFC 9110 §13.1.5): it has the same strong ETag, or the same date if the date is
 * a strong validator.
 */
export function allowsRange (request: HeaderFields, response: HeaderFields): boolean {
  const condition = fieldText(request, 'if-range')
  if (condition === undefined) return true
  const tag = parseEntityTag(condition)
  if (tag !== undefined) {
    const own = parseEntityTag(fieldText(response, 'etag') ?? '')
    return own !== undefined && strongMatch(tag, own)
  }
  const modified = fieldText(response, 'last-modified')
  const date = parseHttpDate(fieldText(response, 'date') ?? '')
  const since = parseHttpDate(condition)
  return since !== undefined && condition === modified && date !== undefined && date - since >= STRONG_AFTER_MS
}

function rangeIn (spec: string, size: number): ByteRange | 'invalid' | undefined {
  const suffix = SUFFIX_RANGE.exec(spec)
  if (suffix !== null) {
    const length = Math.min(Number(suffix[1]), size)
    return length === 0 ? undefined : { first: size - length, last: size - 1 }
  }
  const [, from, to] = INT_RANGE.exec(spec) ?? []
  if (from === undefined) return 'invalid'
  const first = Number(from)
  const last = to === '' ? Infinity : Number(to)
  if (last < first) return 'invalid'
  return first < size ? { first, last: Math.min(last, size - 1) } : undefined
}

function joined (ranges: readonly ByteRange[]): ByteRange[] {
  const result: ByteRange[] = []
  for (const range of ranges) {
    const before = result.at(-1)
    if (before === undefined || range.first > before.last + 1 + MAX_GAP) result.push(range)
    else result[result.length - 1] = { first: before.first, last: Math.max(before.last, range.last) }
  }
  return result
}
