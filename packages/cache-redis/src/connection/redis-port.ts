/** The port of a Redis server whose URL or node names none. */
export const REDIS_PORT = 6379
