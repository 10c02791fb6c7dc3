import { listMembers, trimWhitespace } from './header-fields.js'

/**
 * Returns the weight, 0 to 1, that an `Accept` field gives to a media type: that of its most specific range (RFC 9110 §12.5.1). `0`: the
 * type is not acceptable. Without the field every type has the weight 1.
 */
export function acceptWeight (accept: string | undefined, type: string): number {
  if (accept === undefined || trimWhitespace(accept) === '') return 1
  const weights = new Map(listMembers(accept).map(rangeOf))
  const [group] = type.split('/')
  return weights.get(type) ?? weights.get(`${group}/*`) ?? weights.get('*/*') ?? 0
}

/** A media range in lower case, without its parameters, and its weight. A weight that cannot be read counts as 0. */
function rangeOf (member: string): [range: string, weight: number] {
  const [range, ...parameters] = member.split(';').map((part) => trimWhitespace(part).toLowerCase())
  const weight = parameters.find((parameter) => parameter.startsWith('q='))
  return [range!, weight === undefined ? 1 : Math.min(1, Math.max(0, Number(weight.slice(2)) || 0))]
}
