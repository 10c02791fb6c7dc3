/** The port of a Redis server whose URL or node names no port. */
export const REDIS_PORT = 6379
