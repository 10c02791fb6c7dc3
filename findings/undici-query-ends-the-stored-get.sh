#!/usr/bin/env bash
# undici 7.30.2, cache interceptor: a QUERY that succeeds removes the stored response to GET of its URL. QUERY is safe (RFC 10008 §2.1), and
# only unsafe methods invalidate (RFC 9111 §4.4). Input: GET, QUERY, GET of one URL with `max-age=60`; output: three requests at the server.
# It matters to us because a service that asks this app through undici loses its stored pages with every query, while the app's own store,
# nginx and Varnish keep them.
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

const seen = []
const server = createServer((message, response) => {
  seen.push(message.method)
  message.resume()
  response.setHeader('cache-control', 'public, max-age=60')
  response.end('x')
}).listen(0, '127.0.0.1')
await once(server, 'listening')
const agent = new Agent()
const dispatcher = agent.compose(interceptors.cache())
const ask = async (method, body) => (await request(`http://127.0.0.1:${server.address().port}/`, { dispatcher, method, body })).body.text()

for (const [method, body] of [['GET'], ['GET'], ['QUERY', '{}'], ['GET']]) await ask(method, body)
console.log(`GET, GET, QUERY, GET: the server saw ${seen.join(', ')}`)
assert.deepEqual(seen, ['GET', 'QUERY', 'GET'])
await agent.close()
server.close()
JS
node run.mjs
