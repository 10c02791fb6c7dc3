import type { Connection } from './connection.js'
import { isReply } from './redis-errors.js'

/** Rejects unless Redis answers and a master is known; the error contains the reason. */
export async function ping (connection: Connection): Promise<void> {
  try {
    await connection.client.ping()
  } catch (error) {
    // `connection.failure` has the reason; the error of a client that is not connected has no reason.
    throw isReply(error) ? error : connection.failure ?? error
  }
  const { problem } = connection
  if (problem !== undefined) throw problem
}
