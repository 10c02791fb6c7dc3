#!/usr/bin/env bash
# undici 7.30.2, cache interceptor: `Cache-Control: immutable` alone, without `max-age`, Expires and Last-Modified, is stored and used
# again. RFC 8246 §2 says only that a response does not change while it is fresh; it gives no lifetime, and without Last-Modified there is
# no heuristic one (RFC 9111 §4.2.2). The same response without the directive is not stored. Input: three requests with each field.
# It matters to us because an app that forgets the lifetime beside `immutable` is asked by browsers each time, and by undici once: hence
# our policies refuse `immutable` without a `maxAge`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
npm install --no-audit --no-fund --silent undici@7.30.2

cat > run.mjs <<'JS'
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { Agent, interceptors, request } from 'undici'

let requests = 0
const server = createServer(({ url }, response) => {
  requests++
  response.setHeader('cache-control', decodeURIComponent(url.slice(1))).end('text')
}).listen(0, '127.0.0.1')
await once(server, 'listening')

const counts = {}
for (const control of ['public', 'immutable', 'public, immutable']) {
  const agent = new Agent()
  const dispatcher = agent.compose(interceptors.cache())
  requests = 0
  for (let times = 0; times < 3; times++) {
    const { body } = await request(`http://127.0.0.1:${server.address().port}/${encodeURIComponent(control)}`, { dispatcher })
    await body.text()
  }
  counts[control] = requests
  await agent.close()
}
console.log('requests of three that reached the server', counts)
assert.deepEqual(counts, { public: 3, immutable: 1, 'public, immutable': 1 })
server.close()
JS
node run.mjs
