#!/usr/bin/env bash
# ioredis 6.0.0 begins each connection with HELLO 3. It goes on with RESP2 where the refusal contains NOPROTO or "unknown command"; after
# any other refusal, such as "invalid request" of a proxy, it closes the connection and makes another one, without end, and the client is
# never ready. With `protocol: 2`, and with ioredis 5.11.1, the same server works. Input: a server that refuses HELLO in each of these ways.
# It matters to us because an app behind such a proxy has no cache after the update from ioredis 5, and the error is only the proxy's text.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
npm install --no-audit --no-fund --silent ioredis@6.0.0 ioredis-5@npm:ioredis@5.11.1

cat > run.mjs <<'JS'
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis-5'

/** Whether a client becomes ready within three connections. */
async function becomesReady (Client, refusal, options = {}) {
  let connections = 0
  const sockets = new Set()
  const server = createServer((socket) => {
    connections++
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', (data) => {
      for (const [, name] of String(data).matchAll(/\*\d+\r\n\$\d+\r\n(\w+)\r\n/g)) socket.write(name.toLowerCase() === 'hello' ? `-${refusal}\r\n` : '+OK\r\n')
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = new Client({ port: server.address().port, enableReadyCheck: false, disableClientInfo: true, retryStrategy: () => connections < 3 ? 10 : null, ...options })
  client.on('error', () => {})
  const isReady = await new Promise((resolve) => { client.once('ready', () => resolve(true)).once('end', () => resolve(false)) })
  client.disconnect()
  for (const socket of sockets) socket.destroy()
  server.close()
  return isReady
}

const rows = {
  'ioredis 6, "ERR unknown command \'HELLO\'"': await becomesReady(Redis, "ERR unknown command 'HELLO'"),
  'ioredis 6, "NOPROTO unsupported protocol version"': await becomesReady(Redis, 'NOPROTO unsupported protocol version'),
  'ioredis 6, "invalid request"': await becomesReady(Redis, 'invalid request'),
  'ioredis 6 with protocol: 2, "invalid request"': await becomesReady(Redis, 'invalid request', { protocol: 2 }),
  'ioredis 5, "invalid request"': await becomesReady(Redis5, 'invalid request')
}
for (const [what, isReady] of Object.entries(rows)) console.log(`${what}: ${isReady ? 'ready' : 'never ready'}`)
assert.deepEqual(Object.values(rows), [true, true, false, true, true])
JS
node run.mjs
