import { isDeepStrictEqual } from 'node:util'
import { OptionClash } from '../contract/errors.js'
import type { CacheCoreOptions } from './options.js'

/** Options of the core that its sibling packages, such as `@x/cache-redis`, accept as well. */
export type SharedOptions = { readonly [Name in 'rollout' | 'defaultTtl' | 'patterns' | 'serializer']?: CacheCoreOptions[Name] | undefined }

/**
 * Compares the values of each option that the core and its sibling packages accept.
 * @throws `CACHE_ERR_OPTION_CLASH` if the core and the sibling package `by` were given different values for it
 */
export function refuseClash (own: SharedOptions, siblings: SharedOptions, by: string): void {
  const compare = (name: string, one: unknown, other: unknown): void => {
    if (one !== undefined && other !== undefined && !isDeepStrictEqual(one, other)) throw new OptionClash(name, by)
  }
  for (const name of ['defaultTtl', 'serializer'] as const) compare(name, own[name], siblings[name])
  for (const name of Object.keys(own.patterns ?? {})) compare(`patterns.${name}`, own.patterns![name], siblings.patterns?.[name])
  for (const name of ['percent', 'allow', 'salt', 'holdOut', 'shadow', 'canary', 'key'] as const) compare(`rollout.${name}`, own.rollout?.[name], siblings.rollout?.[name])
}
