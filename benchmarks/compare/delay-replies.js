import { once } from 'node:events'
import { connect, createServer } from 'node:net'

/** Starts a proxy in front of a server, which delays everything that the server sends by `ms` milliseconds; returns `{ url, close }`. */
export async function delayReplies (url, ms) {
  const { hostname, port } = new URL(url)
  const sockets = new Set()
  const server = createServer((client) => {
    const upstream = connect({ host: hostname, port: Number(port), noDelay: true })
    client.setNoDelay(true)
    for (const [socket, other] of [[client, upstream], [upstream, client]]) {
      sockets.add(socket)
      socket.on('close', () => { sockets.delete(socket); other.destroy() })
      socket.on('error', () => other.destroy())
    }
    client.pipe(upstream)
    upstream.on('data', (chunk) => setTimeout(() => client.write(chunk), ms))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `redis://127.0.0.1:${server.address().port}`,
    async close () {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    }
  }
}
