import type { SerializerName } from './isolation.js'

/** The maximum number of entries that an implementation in the memory of a process holds of one key pattern. */
export interface EntryLimit { readonly keyPattern: string; readonly maxEntries: number }

/** The limits of key patterns, which may change while the implementation is in service. */
export interface EntryLimits {
  /** Returns the limit of a key's pattern; `undefined`: the pattern has none. */
  limitOf (key: string): EntryLimit | undefined
}

/** The settings that an implementation in the memory of this process takes from the registry that puts it into service. */
export interface RegistrySettings { readonly limits: EntryLimits; readonly serializer: SerializerName }

/** The name of the method by which a registry gives its settings to an implementation that it puts into service. */
export const joinRegistry = Symbol.for('@x/cache-core.joinRegistry')

/** An implementation that takes settings from the registry. */
export interface JoinsRegistry {
  [joinRegistry] (settings: RegistrySettings): void
}
