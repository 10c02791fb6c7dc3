import { Type, type Static } from 'typebox'
import { defaultsOf, memorySchema } from '@x/cache-core/suite'

/** The bounds of the near cache, with the meaning that they have for a `MemoryCache`. */
const { maxEntries, maxBytes, isolation } = memorySchema.properties
const nearSchema = Type.Object({ maxEntries, maxBytes, isolation }, { additionalProperties: false })

/** The option `near`: `true`, or the bounds of the near cache. */
export const nearOption = () => Type.Optional(Type.Union([Type.Boolean(), nearSchema]))

/** The bounds of a near cache with their defaults. */
export type NearSettings = Required<Static<typeof nearSchema>>

const DEFAULTS = defaultsOf(nearSchema, 'maxEntries', 'maxBytes', 'isolation')

/** Returns the bounds of the near cache; `undefined`: there is none. */
export function nearSettings (near: boolean | Static<typeof nearSchema> | undefined): NearSettings | undefined {
  return near === undefined || near === false ? undefined : { ...DEFAULTS, ...near === true ? {} : near }
}
