import { createError } from '@x/cache-core/suite'

/** Why there is nothing to say; the sentence is for whoever called, and holds no secret. */
export const AdvisorError = createError<[sentence: string, because?: { cause: unknown }]>('CACHE_ERR_ADVISOR', '%s')
