import { Type, type Static } from 'typebox'
import { defaultsOf, memorySchema } from '@x/cache-core/suite'

const { maxEntries, maxBytes, isolation } = memorySchema.properties

/** The bounds of the near cache: they have the limits and defaults of a `MemoryCache`. */
const nearSchema = Type.Object({
  /** The maximum number of copies, at most 2^24. Beyond it the least recently read copy is removed. */
  maxEntries,
  /** The maximum bytes of the copies in the heap and in the contents of Buffers. A single copy may use all of them. */
  maxBytes,
  /**
   * `'clone'`: each reader gets a copy of its own. `'freeze'`: all readers share one deeply frozen value, and objects that are read from
   * Redis are frozen, too; `'freeze'` requires the serializer `'json'`. Buffers are copied in either case.
   */
  isolation
}, { additionalProperties: false })

/** The option `near`: `true`, or the bounds of the near cache. */
export const nearOption = () => Type.Optional(Type.Union([Type.Boolean(), nearSchema]))

/** The limits of a near cache, and how it holds values, with their defaults. */
export type NearSettings = Required<Static<typeof nearSchema>>

const DEFAULTS = defaultsOf(nearSchema, 'maxEntries', 'maxBytes', 'isolation')

/** Returns the settings of the near cache; `undefined`: the option `near` is off. */
export function nearSettings (near: boolean | Static<typeof nearSchema> | undefined): NearSettings | undefined {
  return near === undefined || near === false ? undefined : { ...DEFAULTS, ...near === true ? {} : near }
}
