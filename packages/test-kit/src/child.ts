import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Test } from 'tap'

/** A separate process that runs a program of the tests and carries out one order at a time. */
export class Child {
  readonly process: ChildProcess
  /** The message with which the program said that it is ready for orders. */
  readonly ready: unknown

  private constructor (child: ChildProcess, ready: unknown) {
    this.process = child
    this.ready = ready
  }

  /**
   * Starts a process that is ready for orders; it is killed with the test if it is still running.
   * @param file the program, as `bundle` has written it
   */
  static async start (t: Pick<Test, 'teardown'>, file: string, ...args: string[]): Promise<Child> {
    // The loaders of tap are left out, since they take seconds for each process; the coverage of a child is not counted.
    const child = fork(file, args, { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    t.teardown(() => { child.kill('SIGKILL') })
    const [ready] = await once(child, 'message') as [unknown]
    return new Child(child, ready)
  }

  async order<T> (order: object): Promise<T> {
    const answer = once(this.process, 'message')
    this.process.send(order)
    return (await answer)[0] as T
  }

  /** Kills the process with SIGKILL (kill -9). */
  async kill (): Promise<void> {
    const exit = once(this.process, 'exit')
    this.process.kill('SIGKILL')
    await exit
  }

  /** Orders the process to close its app; it must then end by itself. */
  async end (): Promise<number | null> {
    const exit = once(this.process, 'exit')
    this.process.send({ kind: 'end', key: '' })
    return (await exit)[0] as number | null
  }
}
