import type { Static, TSchema } from 'typebox'
import { Value } from 'typebox/value'

type Filled<S extends TSchema, K extends keyof Static<S>> = Required<Pick<Static<S>, K>>

/** The default values of an object schema, read from its `default`s; each of `names` must have one. */
export function defaultsOf<S extends TSchema, K extends keyof Static<S> & string> (schema: S, ...names: K[]): Readonly<Filled<S, K>> {
  const filled = Value.Default(schema, {}) as Static<S>
  const missing = names.find((name) => filled[name] === undefined)
  if (missing !== undefined) throw new TypeError(`the schema of "${missing}" has no default`)
  return filled as Filled<S, K>
}
