import type { GetOrSetOptions } from '../contract/loader.js'

/** Options of `wrap`: those of `getOrSet`, and `name` and `key`. Functions for the tags also receive the arguments of the call. */
export interface WrapOptions<A extends unknown[] = any[], T = any> extends Omit<GetOrSetOptions<T>, 'tags' | 'coveringTags'> {
  /**
   * The name of the function, 1 to 64 of `A-Z a-z 0-9 _ . -`: the keys are `name:` with the text of the arguments. Give each function a
   * name of its own: functions with one name share their entries. The name is also the key pattern if it begins with a letter and has no
   * likely id, such as five digits in a row; otherwise the pattern is `other`. In a namespace the pattern is the name of the namespace.
   */
  name: string
  /**
   * Returns the part of the key after `name:`, as a string. Needed if an argument is not a plain value, or does not affect the result. The
   * wrapped function then receives the caller's own objects, which must not be changed before its promise settles.
   * @default the text of the arguments
   */
  key?: ((...args: A) => string) | undefined
  /**
   * Tags of the entry, or a function of the result and the arguments, which needs `coveringTags` as well.
   * @default none
   */
  tags?: string[] | ((value: Exclude<T, undefined>, ...args: A) => string[]) | undefined
  /**
   * Tags known before the call, or a function of the arguments that returns them. They are tags of the entry, and cover those of a `tags`
   * function.
   * @default none
   */
  coveringTags?: string[] | ((...args: A) => string[]) | undefined
}

/**
 * The arguments of a wrapped function as its options see them. TypeScript does not infer `A` from the options: an option function with
 * fewer parameters than the wrapped function must not remove the other parameters. `NoInfer` of a rest parameter would refuse such an
 * option function.
 */
export type ArgumentsOf<A extends unknown[]> = A extends infer Given extends unknown[] ? Given : never

/** The cached form of a function: its results are cached by its arguments. */
export interface Wrapped<A extends unknown[], T> {
  /**
   * Returns the cached result for these arguments, or the result of one run of the function. Rejects as `getOrSet` does, and with
   * `CACHE_ERR_KEY_NOT_DERIVED` if the arguments have no key.
   */
  (...args: A): Promise<T>
  /**
   * Returns the key for these arguments, for `del` and other calls of the cache whose `wrap` made the function.
   * @throws `CACHE_ERR_KEY_NOT_DERIVED`
   */
  readonly keyOf: (...args: A) => string
}
