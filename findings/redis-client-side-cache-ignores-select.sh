#!/usr/bin/env bash
# @redis/client 6.3.1 with `clientSideCache`: the keys of its cache lack the number of the database. After `client.select(1)` a `get`
# answers with the value of database 0, although database 1 has another one; a client without the cache answers with that. Seen with
# redis-server 7.0.15.
# It matters to us because an app that keeps its test data in another database reads a value of the wrong one: a near cache belongs
# to one database, as ours does, whose connections never change it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
command -v redis-server > /dev/null || apt-get install --quiet --yes --no-install-recommends redis-server > /dev/null
npm install --no-audit --no-fund --silent @redis/client@6.3.1

cat > run.mjs <<'JS'
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createClient } from '@redis/client'

const server = spawn('redis-server', ['--port', '0', '--unixsocket', `${process.cwd()}/redis.sock`, '--save', ''], { stdio: 'ignore' })
async function connect (options) {
  const client = createClient({ socket: { path: `${process.cwd()}/redis.sock` }, RESP: 3, ...options })
  client.on('error', () => {}) // the server may not listen yet; the client tries again
  return client.connect()
}
const seen = {}
for (const [name, options] of [['plain', {}], ['cached', { clientSideCache: { ttl: 0, maxEntries: 100, evictPolicy: 'LRU' } }]]) {
  const client = await connect(options)
  await client.set('key', 'of database 0')
  await client.select(1)
  await client.set('key', 'of database 1')
  await client.select(0)
  seen[name] = [await client.get('key')]
  await client.select(1)
  seen[name].push(await client.get('key'))
  await client.close()
}
console.log('get in database 0, then in 1', seen)
assert.deepEqual(seen, { plain: ['of database 0', 'of database 1'], cached: ['of database 0', 'of database 0'] })
server.kill()
JS
node run.mjs
