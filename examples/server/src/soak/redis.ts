import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer, connect, type AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** A redis-server on a free port that is stopped and started again; it stores nothing on disk. */
export class RestartedRedis {
  readonly #port: number
  #process: ChildProcess | undefined

  private constructor (port: number) {
    this.#port = port
  }

  get url (): string { return `redis://127.0.0.1:${this.#port}` }

  static async start (): Promise<RestartedRedis> {
    const probe = createServer().listen(0, '127.0.0.1')
    await once(probe, 'listening')
    const { port } = probe.address() as AddressInfo
    await once(probe.close(), 'close')
    const redis = new RestartedRedis(port)
    await redis.start()
    return redis
  }

  /** Starts the server, and waits until it accepts connections. Rejects if there is no redis-server. */
  async start (): Promise<void> {
    const child = spawn('redis-server', ['--port', String(this.#port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'], { stdio: 'ignore' })
    await once(child, 'spawn')
    this.#process = child
    while (!await isListening(this.#port)) {
      if (child.exitCode !== null) throw new Error(`redis-server ended with ${child.exitCode}`)
      await sleep(20)
    }
  }

  async stop (signal: NodeJS.Signals): Promise<void> {
    const child = this.#process
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
  }
}

async function isListening (port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port })
  try {
    await once(socket, 'connect')
    return true
  } catch {
    // The connection failed, so the server does not listen yet.
    return false
  } finally {
    socket.destroy()
  }
}
