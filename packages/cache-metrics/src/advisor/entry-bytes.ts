/** The bytes that a `MemoryCache` uses per entry besides its key and value. */
const ENTRY_BYTES = 128

/** Returns the estimated bytes of one entry in memory: its value, its key in UTF-16 units, and its part of the tables. */
export function entryBytes (meanBytes: number, meanKeyLength: number): number {
  return meanBytes + 2 * meanKeyLength + ENTRY_BYTES
}
