import { isPromise } from '../lib/harmless.js'
import { serializedBy, type Serializer, type SerializerName, type Serializes } from './isolation.js'

/**
 * Returns the serializer of an implementation. An object of the app is wrapped, so that it throws in place of returning a promise or no
 * value. `undefined`: the implementation has none of its own.
 */
export function serializerOf (impl: object): SerializerName | Serializer | undefined {
  const own = (impl as Partial<Serializes>)[serializedBy]
  return typeof own === 'object' ? guardedSerializer(own) : own
}

/**
 * Wraps a serializer of the app. The wrapper throws unless `serialize` makes text or bytes, and `deserialize` a value. A promise is
 * neither, and its rejection would end the process.
 */
export function guardedSerializer (own: Serializer): Serializer {
  return {
    serialize (value) {
      const stored: unknown = own.serialize(value)
      if (typeof stored === 'string' || stored instanceof Uint8Array) return stored
      throw madeNoValue(isPromise(stored) ? 'a promise' : typeof stored)
    },
    deserialize (bytes) {
      const value = own.deserialize(bytes)
      if (value === undefined) throw madeNoValue('undefined')
      if (isPromise(value)) throw madeNoValue('a promise')
      return value
    }
  }
}

function madeNoValue (made: string): TypeError {
  return new TypeError(`the serializer made ${made}`)
}
