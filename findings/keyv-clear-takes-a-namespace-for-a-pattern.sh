#!/usr/bin/env bash
# @keyv/redis 5.1.6 with keyv 5.6.0: `clear()` puts the namespace into the pattern of SCAN as it is. In the namespace "[eu]" it removes
# nothing, since the pattern means one letter; in "shop*" it removes the entries of "shop-2" as well. `set` and `get` take both namespaces
# literally. Input: an entry in each of four namespaces, and `clear()` of one. Seen with redis-server 7.0.15.
# It matters to us because our prefixes take any text: a clear must not depend on what the characters mean to a pattern of Redis.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
command -v redis-server > /dev/null || apt-get install --quiet --yes --no-install-recommends redis-server > /dev/null
npm install --no-audit --no-fund --silent keyv@5.6.0 @keyv/redis@5.1.6

cat > run.mjs <<'JS'
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import KeyvRedis from '@keyv/redis'
import { Keyv } from 'keyv'

const server = spawn('redis-server', ['--port', '0', '--unixsocket', `${process.cwd()}/redis.sock`, '--save', ''], { stdio: 'ignore' })
const names = ['plain', '[eu]', 'shop*', 'shop-2']
const stores = new Map()
for (const namespace of names) {
  const store = new Keyv(new KeyvRedis({ socket: { path: `${process.cwd()}/redis.sock` } }), { namespace })
  store.on('error', () => {}) // the server may not listen yet; the client tries again
  stores.set(namespace, store)
}
const seen = {}
for (const cleared of ['plain', '[eu]', 'shop*']) {
  for (const store of stores.values()) await store.set('key', 'value')
  await stores.get(cleared).clear()
  seen[cleared] = []
  for (const name of names) if (await stores.get(name).get('key') === undefined) seen[cleared].push(name)
}
console.log('clear() of a namespace ended the entries of', seen)
assert.deepEqual(seen, { plain: ['plain'], '[eu]': [], 'shop*': ['shop*', 'shop-2'] })
for (const store of stores.values()) await store.disconnect()
server.kill()
JS
node run.mjs
