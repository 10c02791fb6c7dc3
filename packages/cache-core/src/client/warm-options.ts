import { Type, type Static } from 'typebox'
import { defaultsOf } from '../lib/schema-defaults.js'

export const warmProperties = {
  /** The maximum number of warm items that are loaded at the same time. */
  concurrency: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 4 }))
}

const warmSchema = Type.Object(warmProperties)
type Options = Static<typeof warmSchema>
/** Options of the call `warm`, which loads critical keys. */
export type WarmOptions = { [Name in keyof Options]: Options[Name] | undefined }

/** The default options of the call `warm`. */
export const WARM_DEFAULTS = defaultsOf(warmSchema, 'concurrency')
