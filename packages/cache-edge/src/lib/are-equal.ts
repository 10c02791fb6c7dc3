/** Whether two lists of texts are equal. */
export function areEqual (one: readonly string[], other: readonly string[]): boolean {
  return one === other || (one.length === other.length && one.every((text, at) => text === other[at]))
}
