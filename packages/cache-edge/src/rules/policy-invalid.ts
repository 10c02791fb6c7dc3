import { createError } from '@x/cache-core/suite'

/** Thrown if the members of a cache policy contradict each other. */
export const PolicyInvalid = createError<[route: string, why: string]>('CACHE_ERR_POLICY_INVALID',
  'The cache policy of %s contradicts itself: %s')
