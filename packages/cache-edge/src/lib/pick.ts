/** Returns an object with those of the named properties that are not `undefined`. */
export function pick<T extends object, K extends keyof T> (from: T, names: readonly K[]): { [N in K]: NonNullable<T[N]> } {
  return Object.fromEntries(
    names.filter((name) => from[name] !== undefined).map((name) => [name, from[name]])
  ) as { [N in K]: NonNullable<T[N]> }
}
