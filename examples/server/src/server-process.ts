import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A server that runs in a process of its own, as in production. */
export interface ServerProcess {
  readonly url: string
  readonly child: ChildProcess
  /** Ends the server gracefully; resolves with its exit code, or with `null` if it had to be killed. */
  stop (): Promise<number | null>
}

/** Starts the server on any free port, unless `env` has `PORT`, and waits until it listens. */
export function startServer (env: Record<string, string | undefined> = {}, execArgv: readonly string[] = []): Promise<ServerProcess> {
  return startProgram('server', { PORT: '0', ...env }, execArgv)
}

/**
 * Starts a program of this folder and waits until it sends its address, which it does when it listens. Its output goes to stderr: warnings
 * and errors only, unless `env` has `LOG_LEVEL`.
 */
export async function startProgram (
  program: 'server' | 'cluster' | 'database/main', env: Record<string, string | undefined>, execArgv: readonly string[] = []
): Promise<ServerProcess> {
  // The program's file has the same extension as this file: `.ts`, or `.js` after compilation.
  const child = fork(fileURLToPath(new URL(`./${program}${extname(import.meta.url)}`, import.meta.url)), {
    env: { LOG_LEVEL: 'warn', ...process.env, ...env } as NodeJS.ProcessEnv,
    execArgv: [...process.execArgv, ...execArgv],
    stdio: ['ignore', 2, 2, 'ipc']
  })
  const exited = once(child, 'exit') as Promise<[number | null]>
  const first = await Promise.race([once(child, 'message') as Promise<[{ url: string }]>, exited])
  const message = first[0]
  if (message === null || typeof message === 'number') {
    throw new Error(`The ${program} ended with exit code ${message} before it listened; what it printed says why`)
  }
  return {
    url: message.url,
    child,
    async stop () {
      child.kill('SIGTERM')
      return (await exited)[0]
    }
  }
}
