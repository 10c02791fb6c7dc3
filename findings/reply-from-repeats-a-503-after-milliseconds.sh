#!/usr/bin/env bash
# @fastify/reply-from 12.6.5 (and so @fastify/http-proxy 11.6.3) sends a GET that was answered 503 again, ten times by default, and takes
# the `Retry-After` of the answer for milliseconds: "3" is a pause of 3 ms, a date is none. RFC 9110 §10.2.3 has seconds, or a date.
# Without the field the pauses are longer. Input: one request; output: eleven requests at the upstream. Seen with fastify 5.12.8.
# It matters to us because an app that sheds its load (@fastify/under-pressure sends "Retry-After: 10") while its cache is cold gets each
# request eleven times through such a gateway, within a fraction of a second: `retryDelay`, or `retryMethods` without GET, prevents that.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
npm install --no-audit --no-fund --silent fastify@5.12.8 @fastify/reply-from@12.6.5 @fastify/http-proxy@11.6.3

cat > run.mjs <<'JS'
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import proxy from '@fastify/http-proxy'
import Fastify from 'fastify'

let retryAfter
let requests = 0
const upstream = createServer((request, response) => {
  requests++
  response.writeHead(503, { 'retry-after': retryAfter }).end('busy')
}).listen(0, '127.0.0.1')
await once(upstream, 'listening')
const app = Fastify()
await app.register(proxy, { upstream: `http://127.0.0.1:${upstream.address().port}` })

for (const value of ['3', new Date(Date.now() + 60_000).toUTCString()]) {
  retryAfter = value
  requests = 0
  const begin = performance.now()
  const { statusCode } = await app.inject('/')
  const time = performance.now() - begin
  console.log(`Retry-After: ${value}: answered ${statusCode} after ${requests} requests in ${Math.round(time)} ms`)
  assert.deepEqual([statusCode, requests], [503, 11])
  assert.ok(time < 3000, 'eleven requests took less than the one pause that the field asks for')
}
await app.close()
upstream.close()
JS
node run.mjs
