/**
 * Options of a Redis cache with time limits that a busy machine does not exceed, although an answer may come late and a process may stop for
 * seconds. With the default limits a late read would be a miss, and a connection that waits for a late answer would be closed.
 */
export const PATIENT_REDIS = { commandTimeoutMs: 30_000, heartbeatTimeoutMs: 10_000, connectTimeoutMs: 60_000, socketTimeoutMs: 60_000 }
