import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import type { Database, Queryable } from './open.js'

/** A message of a client, one per line: a query, or the beginning or the end of a transaction. */
export type Ask = { sql: string; parameters?: unknown[] } | { step: 'begin' | 'commit' }
/** The answer to a message of a client; answers are sent in the order of the messages. */
export type Answer = { rows: unknown[] } | { error: { message: string; code?: string | undefined } }

/** The database, as other processes reach it. */
export interface DatabaseServer {
  readonly port: number
  close (): Promise<void>
}

/** Thrown if a client disconnects within a transaction, so that the transaction is rolled back. */
class Unfinished extends Error {}

/**
 * Serves the database of this process to others of the same host or of a private network: there is no password. An app in production would
 * use a PostgreSQL server; this database needs no installation.
 */
export async function serveDatabase (database: Database, options: { host: string; port: number }): Promise<DatabaseServer> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    // The error of a broken connection is ignored, since the interface that reads the client's lines ends as well.
    socket.on('error', () => {})
    // A message that cannot be parsed ends the connection.
    serve(database, socket).catch(() => socket.destroy())
  })
  server.listen(options)
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async close () {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    }
  }
}

async function serve (database: Database, socket: Socket): Promise<void> {
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]()
  for (let line = await lines.next(); line.done !== true; line = await lines.next()) {
    const ask = JSON.parse(line.value) as Ask
    if ('sql' in ask) await answer(socket, () => database.query(ask.sql, ask.parameters))
    else await answer(socket, () => database.transaction((transaction) => serveTransaction(transaction, lines, socket)))
  }
}

/** Serves the messages of a transaction up to its end. The answer to the last message shows that the database has committed. */
async function serveTransaction (transaction: Queryable, lines: AsyncIterator<string>, socket: Socket): Promise<{ rows: unknown[] }> {
  send(socket, { rows: [] })
  for (let line = await lines.next(); line.done !== true; line = await lines.next()) {
    const ask = JSON.parse(line.value) as Ask
    if (!('sql' in ask)) return { rows: [] }
    await answer(socket, () => transaction.query(ask.sql, ask.parameters))
  }
  throw new Unfinished('The client has disconnected')
}

async function answer (socket: Socket, work: () => Promise<{ rows: unknown[] }>): Promise<void> {
  try {
    const { rows } = await work()
    send(socket, { rows })
  } catch (error) {
    const { message, code } = error as Error & { code?: string }
    send(socket, { error: { message, code } })
  }
}

function send (socket: Socket, message: Answer): void {
  if (socket.writable) socket.write(`${JSON.stringify(message)}\n`)
}
