import type { Connection } from './connection.js'
import { isReply } from './redis-errors.js'

/** Rejects unless Redis answers and a master is known; the error says why. */
export async function ping (connection: Connection): Promise<void> {
  try {
    await connection.client.ping()
  } catch (error) {
    // A client that is not connected gives no reason; the connection knows it.
    throw isReply(error) ? error : connection.failure ?? error
  }
  const { problem } = connection
  if (problem !== undefined) throw problem
}
