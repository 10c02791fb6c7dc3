import { createError } from '@x/cache-core/suite'

/** The members of a route's policy contradict each other. */
export const PolicyInvalid = createError<[route: string, why: string]>('CACHE_ERR_POLICY_INVALID',
  'The cache policy of %s contradicts itself: %s')
