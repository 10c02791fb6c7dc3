/** Returns an array of `length` equal values: the initial array of one property, such as the ttl, of the entries in all slots. */
export function listOf<T> (length: number, value: T): T[] {
  return new Array<T>(length).fill(value)
}
