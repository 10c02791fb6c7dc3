import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import type { Database, Queryable } from './open.js'
import type { Answer, Ask } from './serve.js'

/** The address at which `serveDatabase` listens. */
export interface DatabaseAddress { host: string; port: number }

interface Waiting { resolve (rows: unknown[]): void; reject (error: Error): void }

/** A connection to the process that has the database. The answers arrive in the order of the messages. */
class Connection implements Queryable {
  readonly #socket: Socket
  readonly #waiting: Waiting[] = []
  isOpen = true

  constructor (address: DatabaseAddress) {
    this.#socket = connect(address)
    this.#socket.once('close', () => this.#fail(new Error('The connection to the database has ended')))
    const lines = createInterface({ input: this.#socket })
    // Errors of the socket are also emitted by the interface that reads its lines, so both get a listener.
    for (const source of [this.#socket, lines]) source.on('error', (error: Error) => this.#fail(error))
    lines.on('line', (line) => {
      const { resolve, reject } = this.#waiting.shift()!
      const answer = JSON.parse(line) as Answer
      if ('rows' in answer) resolve(answer.rows)
      else reject(Object.assign(new Error(answer.error.message), { code: answer.error.code }))
    })
  }

  ask (ask: Ask): Promise<unknown[]> {
    if (!this.isOpen) return Promise.reject(new Error('The connection to the database has ended'))
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#socket.write(`${JSON.stringify(ask)}\n`)
    })
  }

  async query<T> (sql: string, parameters: unknown[] = []): Promise<{ rows: T[] }> {
    return { rows: await this.ask({ sql, parameters }) as T[] }
  }

  async close (): Promise<void> {
    if (this.#socket.closed) return
    const closed = once(this.#socket, 'close')
    this.#socket.destroy()
    await closed
  }

  #fail (error: Error): void {
    this.isOpen = false
    for (const { reject } of this.#waiting.splice(0)) reject(error)
  }
}

/**
 * The database that another process serves, over one connection for all queries and one for each transaction. A query rejects while that
 * process cannot be reached; the next query connects again.
 */
export function connectDatabase (address: DatabaseAddress): Database {
  let shared = new Connection(address)
  return {
    query (sql, parameters) {
      if (!shared.isOpen) shared = new Connection(address)
      return shared.query(sql, parameters)
    },
    async transaction (work) {
      const own = new Connection(address)
      try {
        await own.ask({ step: 'begin' })
        const result = await work(own)
        await own.ask({ step: 'commit' })
        return result
      } finally {
        // Closing the connection without a commit makes the other process roll back the transaction.
        await own.close()
      }
    },
    close: () => shared.close()
  }
}
