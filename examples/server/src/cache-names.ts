import type { FastifyRequest } from 'fastify'

/**
 * All cache keys of the app. The text before the first `:` is the label in the metrics. The key of a personal value contains the user's id.
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

/** All tags of the app. A write invalidates tags, which removes the entries that were made from the changed data. */
export const tags = {
  tables: 'tables',
  record: (id: number) => `record:${id}`,
  /** Returns the tag of a table's rows; pages of the table, and all values that are computed from its rows, have this tag. */
  records: (tableId: number) => `records:${tableId}`,
  user: (id: number) => `user:${id}`,
  notifications: (userId: number) => `notifications:${userId}`,
  approval: (id: number) => `approvals:${id}`
}

/**
 * Lifetimes of entries in seconds. Writes invalidate by tag, so a ttl only limits how long an entry is served if an invalidation is lost.
 */
export const ttl = { short: 60, hour: 3600, day: 24 * 3600 }

/**
 * Invalidates the tags of a write; call it after the transaction has been committed. If it fails, the write is still valid, so the failure
 * is logged and the request does not fail.
 */
export async function invalidate (request: FastifyRequest, changed: string[]): Promise<void> {
  const result = await request.cache.tags.invalidate(changed)
  if (!result.ok) request.log.error({ err: result.error, tags: changed }, 'Written, but the cache has not confirmed the invalidation')
}
