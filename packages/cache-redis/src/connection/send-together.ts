import type { Socket } from 'node:net'
import type { Client } from './client.js'

/**
 * Sends all commands that a Redis client receives in one tick with one system call, since a system call takes the largest part of a
 * command's time. Unlike a pipeline, this delays no command: a single command is sent at the end of its own tick.
 */
export function sendTogether (client: Client): void {
  const { stream } = client as { stream?: Socket }
  if (stream === undefined || stream === null || stream.writableCorked > 0) return
  stream.cork()
  process.nextTick(() => stream.uncork())
}
