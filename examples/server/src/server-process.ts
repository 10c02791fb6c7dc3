import { fork } from 'node:child_process'
import { once } from 'node:events'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The server in a process of its own, as in production. */
export interface ServerProcess {
  readonly url: string
  /** Ends it gracefully; resolves to its exit code, null if it had to be killed. */
  stop (): Promise<number | null>
}

// This file is TypeScript or compiled, and so is the server beside it.
const SERVER = fileURLToPath(new URL(`./server${extname(import.meta.url)}`, import.meta.url))

/**
 * Starts the server and waits until it listens, on any free port unless `PORT` is given here. What it prints goes to stderr:
 * warnings and worse unless `LOG_LEVEL` says otherwise.
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
