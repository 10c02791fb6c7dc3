import { createError } from '@x/cache-core/suite'

/** An error of `cache-advisor`, the command line tool. The tool prints its message, which contains no secret. */
export const AdvisorError = createError<[sentence: string, because?: { cause: unknown }]>('CACHE_ERR_ADVISOR', '%s')
