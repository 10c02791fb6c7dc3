#!/usr/bin/env bash
# undici 7.30.2, cache interceptor: a response with an ETag and `no-cache` (or `max-age=0`) is validated by every second request only:
# after each 304 the next request goes out without If-None-Match and gets the whole response. A response with `max-age=1` is never
# validated once it is older than its two lifetimes. RFC 9111 §4.3.4 has the 304 freshen the stored response, so that it can be validated
# again.
# It matters to us because our policies with `no-cache` rely on the 304 of each request: to a service that asks through undici, half of
# the responses are sent whole, while browsers and proxies get 304 each time.
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
import { setTimeout as wait } from 'node:timers/promises'
import { Agent, interceptors, request } from 'undici'

let control
let seen = []
const server = createServer(({ headers }, response) => {
  const condition = headers['if-none-match']
  seen.push(condition === undefined ? 'whole' : '304')
  response.setHeader('etag', '"v1"').setHeader('cache-control', control)
  if (condition === '"v1"') response.writeHead(304).end()
  else response.end('text')
}).listen(0, '127.0.0.1')
await once(server, 'listening')

for (const [value, pause, expected] of [
  ['no-cache', 0, ['whole', '304', 'whole', '304', 'whole', '304']],
  ['max-age=0', 0, ['whole', '304', 'whole', '304', 'whole', '304']],
  ['max-age=1', 3000, ['whole', 'whole', 'whole']]
]) {
  control = value
  seen = []
  const agent = new Agent()
  const dispatcher = agent.compose(interceptors.cache())
  for (const _ of expected) {
    const { body } = await request(`http://127.0.0.1:${server.address().port}/`, { dispatcher })
    assert.equal(await body.text(), 'text')
    await wait(pause)
  }
  console.log(`Cache-Control: ${value}: the server sent ${seen.join(', ')}`)
  assert.deepEqual(seen, expected)
  await agent.close()
}
server.close()
JS
node run.mjs
