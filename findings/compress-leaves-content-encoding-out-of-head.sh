#!/usr/bin/env bash
# @fastify/compress 9.2.0 compresses the response to a GET, and sends the response to the HEAD of the same URL without
# `Content-Encoding` and `Vary`, with the length of the uncompressed body: a HEAD should have the fields that the GET has (RFC 9110
# §9.3.2). Seen with fastify 5.12.8.
# It matters to us because a cache in front that refreshes a stored response with a HEAD (RFC 9111 §4.3.5) takes the compressed body
# for an uncompressed one, and because the edge, which answers a HEAD from the stored response, differs from the bare app here.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
npm install --no-audit --no-fund --silent fastify@5.12.8 @fastify/compress@9.2.0

cat > run.mjs <<'JS'
import assert from 'node:assert/strict'
import compress from '@fastify/compress'
import Fastify from 'fastify'

const app = Fastify()
await app.register(compress, { threshold: 0 })
app.get('/', async () => 'a text '.repeat(300))
const seen = {}
for (const method of ['GET', 'HEAD']) {
  const { headers } = await app.inject({ method, url: '/', headers: { 'accept-encoding': 'gzip' } })
  seen[method] = headers
  console.log(`${method}: content-encoding ${headers['content-encoding']}, vary ${headers.vary}, content-length ${headers['content-length']}`)
}
assert.equal(seen.GET['content-encoding'], 'gzip')
assert.equal(seen.HEAD['content-encoding'], undefined)
assert.equal(seen.GET.vary, 'accept-encoding')
assert.equal(seen.HEAD.vary, undefined)
await app.close()
JS
node run.mjs
