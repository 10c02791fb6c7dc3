import { KeyNotDerived, OptionInvalid } from '../contract/errors.js'
import type { GetOrSetOptions } from '../contract/loader.js'
import { refuseNames } from '../contract/option-names.js'
import { shown } from '../contract/shown.js'
import { argumentText, copyOfArguments, WithoutText } from '../lib/argument-text.js'
import { isPromise } from '../lib/harmless.js'
import type { FastifyCache } from './fastify-cache.js'
import type { WrapOptions, Wrapped } from './wrap-options.js'

const NAME = /^[\w.-]{1,64}$/

/**
 * Makes the cached form of a function, whose results are cached by its arguments.
 * @throws `CACHE_ERR_OPTION_INVALID`
 */
export function wrap<A extends unknown[], T> (
  cache: Pick<FastifyCache, 'getOrSet'>, fn: (this: void, ...args: A) => T | Promise<T>, options: WrapOptions<A, T>
): Wrapped<A, T> {
  if (typeof fn !== 'function') throw new OptionInvalid('wrap', shown(fn), 'a function')
  refuseNames('wrap', options)
  const { name, key, tags, coveringTags, ...rest } = options ?? {} as WrapOptions<A, T>
  if (typeof name !== 'string' || !NAME.test(name)) throw new OptionInvalid('wrap.name', shown(name), '1 to 64 of A-Z a-z 0-9 _ . -')
  if (key !== undefined && typeof key !== 'function') throw new OptionInvalid('wrap.key', shown(key), 'a function')
  const keyOf = (...args: A): string => `${name}:${key === undefined ? textOf(args) : ownKey(key, args)}`
  const wrapped = async (...args: A): Promise<T> => {
    let own = args
    const given: GetOrSetOptions<T> = { ...rest }
    if (tags !== undefined) given.tags = typeof tags === 'function' ? (value) => tags(value, ...own) : tags
    if (coveringTags !== undefined) given.coveringTags = typeof coveringTags === 'function' ? tagsOf(coveringTags, args) : coveringTags
    const derived = keyOf(...args)
    const copy = key === undefined ? copyOfArguments(args) : args
    const result = cache.getOrSet<T>(derived, () => fn(...own), given)
    // A load that begins later gets a copy of the arguments: the arguments of the load must be those of the key, even if the caller changes
    // its objects meanwhile.
    own = copy
    return result
  }
  return Object.assign(wrapped, { keyOf })
}

function textOf (args: readonly unknown[]): string {
  const text = argumentText(args)
  if (text instanceof WithoutText) throw new KeyNotDerived(text.kind)
  return text
}

function ownKey<A extends unknown[]> (key: (...args: A) => string, args: A): string {
  let own: unknown
  try {
    own = key(...args)
  } catch (cause) {
    throw new KeyNotDerived('the function "key", which threw', { cause })
  }
  if (isPromise(own)) throw new KeyNotDerived('the function "key", which returned a promise')
  if (typeof own !== 'string') throw new KeyNotDerived(`the function "key", which returned ${own === null ? 'null' : typeof own}`)
  return own
}

/**
 * Returns the tags that a function of the arguments returns. If the function throws, `null` is returned, which `getOrSet` refuses as a list
 * of tags: the caller gets the loaded value, which is not stored.
 */
function tagsOf<A extends unknown[]> (tags: (...args: A) => string[], args: A): string[] {
  try {
    const list = tags(...args)
    // An asynchronous `tags` function returns a promise, which is no list of tags; its rejection must be handled.
    isPromise(list)
    return list
  } catch {
    return null as unknown as string[]
  }
}
