import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'

/** The folder, the signal and the environment of a server that tests start. */
export interface Watched {
  /** The folder of the server, which is removed when it has ended. */
  readonly folder: string
  readonly env?: NodeJS.ProcessEnv
  /** The signal that ends the server; default: TERM. */
  readonly signal?: 'TERM' | 'KILL'
}

/**
 * Starts a server by a shell command. Since a server does not end with the process that started it, a script around it ends the server when
 * the stdin of the script closes, even after kill -9 of this process, and removes the folder of the server.
 */
export function startWatched (command: string, { folder, env = process.env, signal = 'TERM' }: Watched): ChildProcess {
  const script = `exec 3<&0
${command} 3<&- &
server=$!
{ cat <&3 >/dev/null; kill -${signal} $server; } 2>/dev/null &
wait $server
rm -rf "$PWD"`
  return spawn('sh', ['-c', script], { cwd: folder, env, stdio: 'pipe' })
}

/** Ends a server that `startWatched` started; resolves when it has ended and its folder is removed. */
export async function endWatched (server: ChildProcess): Promise<void> {
  if (server.exitCode === null) {
    const ended = once(server, 'exit')
    server.stdin!.end()
    await ended
  }
  // The pipes are destroyed, since a helper process that outlives the server for a short time holds the same pipes.
  server.stdout!.destroy()
  server.stderr!.destroy()
}
