import { Type } from 'typebox'
import { MAX_TTL } from './arguments.js'

/** The ttl, in seconds, of an entry that is stored without a ttl. */
export const DEFAULT_TTL = 3600

/** The schema of an option `defaultTtl`, in seconds. */
export const defaultTtlSchema = () => Type.Number({ exclusiveMinimum: 0, maximum: MAX_TTL, default: DEFAULT_TTL })
