import type { FastifyRequest } from 'fastify'

/**
 * Every cache key of the app. The text before the first `:` is the label in the metrics; what is personal has the user's id
 * in its key.
 */
export const keys = {
  tables: 'tables:all',
  publicTables: 'tables:public',
  table: (id: number) => `table:${id}`,
  summary: (tableId: number) => `summary:${tableId}`,
  record: (id: number) => `record:${id}`,
  records: (tableId: number, limit: number, offset: number) => `records:${tableId}:${limit}:${offset}`,
  publicRecords: (tableId: number, limit: number, offset: number) => `records:public:${tableId}:${limit}:${offset}`,
  user: (id: number) => `user:${id}`,
  permissions: (userId: number) => `permissions:${userId}`,
  account: (userId: number) => `account:${userId}`,
  profile: (userId: number) => `profile:${userId}`,
  notifications: (userId: number) => `notifications:${userId}`,
  approval: (id: number) => `approvals:${id}`
}

/** Every tag of the app: what a write names to make the entries made from it gone. */
export const tags = {
  tables: 'tables',
  record: (id: number) => `record:${id}`,
  /** The rows of a table: its pages and all that is counted from them. */
  records: (tableId: number) => `records:${tableId}`,
  user: (id: number) => `user:${id}`,
  notifications: (userId: number) => `notifications:${userId}`,
  approval: (id: number) => `approvals:${id}`
}

/** Seconds. Writes invalidate by tag, so a ttl only bounds what would be kept if one got lost. */
export const ttl = { short: 60, hour: 3600, day: 24 * 3600 }

/**
 * For after the commit: makes the tagged entries gone. The write holds even if the cache did not hear of it, so a failure
 * is reported and does not fail the request.
 */
export async function invalidate (request: FastifyRequest, changed: string[]): Promise<void> {
  const result = await request.cache.tags.invalidate(changed)
  if (!result.ok) request.log.error({ err: result.error, tags: changed }, 'Written, but the cache has not confirmed the invalidation')
}
