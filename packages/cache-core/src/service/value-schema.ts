import { Compile } from 'typebox/compile'
import type { TSchema } from 'typebox'
import { isPromise } from '../lib/harmless.js'

/**
 * A schema with the interface Standard Schema (https://standardschema.dev), such as a schema of Zod, Valibot or ArkType; it must be
 * synchronous.
 */
export interface StandardSchema {
  readonly '~standard': { validate (value: unknown): { readonly issues?: readonly unknown[] | undefined } | Promise<unknown> }
}

/** A schema of stored values: a Standard Schema, a TypeBox or JSON Schema, or a function that returns whether a value is valid. */
export type ValueSchema = StandardSchema | TSchema | ((value: any) => boolean)

/** The reason why a value does not match a schema, as text without the value; `undefined`: the value matches. */
export type Refusal = string | undefined

/**
 * Whether a value can be used as a schema (option `schema` of a key pattern). A TypeBox or JSON Schema is a plain object: an object of a
 * class, such as a Date or a schema of Joi 17, has none of the members of a JSON Schema, and would accept every value.
 */
export function isSchema (given: unknown): given is ValueSchema {
  if (typeof given === 'function') return true
  if (typeof given !== 'object' || given === null) return false
  const standard = Reflect.get(given, '~standard') as { validate?: unknown } | undefined
  if (standard !== undefined) return typeof standard?.validate === 'function'
  const prototype: unknown = Object.getPrototypeOf(given)
  return prototype === Object.prototype || prototype === null
}

/**
 * Returns the function that checks values against a schema. It never throws: a schema that throws refuses the value.
 * @throws for a TypeBox or JSON Schema that cannot be compiled
 */
export function checkOf (schema: ValueSchema): (value: unknown) => Refusal {
  const passes = passesOf(schema)
  return (value) => {
    try {
      const passed: unknown = passes(value)
      if (passed === true) return undefined
      // The result of an asynchronous schema is a promise, which counts as a refusal; its rejection must be handled.
      isPromise(passed)
      return passed === false ? 'it does not pass' : 'the schema answers with no boolean, such as a promise'
    } catch {
      return 'the schema throws'
    }
  }
}

function passesOf (schema: ValueSchema): (value: unknown) => unknown {
  // A schema of ArkType is a function that also has the interface of Standard Schema, so this interface is checked first.
  const standard = Reflect.get(schema, '~standard') as StandardSchema['~standard'] | undefined
  if (standard !== undefined) {
    return (value) => {
      const result = standard.validate(value)
      return isPromise(result) ? result : (result as { issues?: unknown }).issues === undefined
    }
  }
  if (typeof schema === 'function') return schema as (value: unknown) => unknown
  const compiled = Compile(schema)
  return (value) => compiled.Check(value)
}
