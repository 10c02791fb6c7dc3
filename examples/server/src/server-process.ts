import { fork } from 'node:child_process'
import { once } from 'node:events'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A server that runs in a process of its own, as in production. */
export interface ServerProcess {
  readonly url: string
  /** Ends the server gracefully; resolves with its exit code, or with `null` if it had to be killed. */
  stop (): Promise<number | null>
}

// The server's file has the same extension as this file: `.ts`, or `.js` after compilation.
const SERVER = fileURLToPath(new URL(`./server${extname(import.meta.url)}`, import.meta.url))

/**
 * Starts the server on any free port, unless `env` has `PORT`, and waits until it listens. Its output goes to stderr: warnings and errors
 * only, unless `env` has `LOG_LEVEL`.
 */
export async function startServer (env: Record<string, string | undefined> = {}): Promise<ServerProcess> {
  const child = fork(SERVER, {
    env: { LOG_LEVEL: 'warn', ...process.env, PORT: '0', ...env } as NodeJS.ProcessEnv,
    stdio: ['ignore', 2, 2, 'ipc']
  })
  const exited = once(child, 'exit') as Promise<[number | null]>
  const first = await Promise.race([once(child, 'message') as Promise<[{ url: string }]>, exited])
  const message = first[0]
  if (message === null || typeof message === 'number') {
    throw new Error(`The server ended with exit code ${message} before it listened; what it printed says why`)
  }
  return {
    url: message.url,
    async stop () {
      child.kill('SIGTERM')
      return (await exited)[0]
    }
  }
}
