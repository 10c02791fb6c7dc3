/** Returns a list of one value, as a property of all slots of a `MemoryCache` begins. */
export function listOf<T> (length: number, value: T): T[] {
  return new Array<T>(length).fill(value)
}
