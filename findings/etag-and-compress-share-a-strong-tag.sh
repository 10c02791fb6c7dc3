#!/usr/bin/env bash
# @fastify/etag 6.2.0 beside @fastify/compress 9.2.0: the identity and the gzip answer of a URL carry the same strong entity tag, in both
# orders of registration, although their bytes differ (RFC 9110 §8.8.3.3 wants different tags, or weak ones). The identity answer
# has no `Vary: accept-encoding` either, so a shared cache may give it to everybody. Seen with fastify 5.12.8.
# It matters to us because the order of registration, the obvious cure, changes nothing: a stored response needs weak tags, or one
# per coding, and Vary on both.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
npm install --no-audit --no-fund --silent fastify@5.12.8 @fastify/etag@6.2.0 @fastify/compress@9.2.0

cat > run.mjs <<'JS'
import assert from 'node:assert/strict'
import compress from '@fastify/compress'
import etag from '@fastify/etag'
import Fastify from 'fastify'

for (const order of [['etag', 'compress'], ['compress', 'etag']]) {
  const app = Fastify()
  for (const name of order) await app.register({ compress, etag }[name])
  app.get('/', async () => ({ text: 'many words '.repeat(300) }))
  const plain = await app.inject('/')
  const zipped = await app.inject({ url: '/', headers: { 'accept-encoding': 'gzip' } })
  for (const { headers } of [plain, zipped]) {
    console.log(`${order.join(' before ')}: ${headers['content-encoding'] ?? 'identity'}, etag ${headers.etag}, vary ${headers.vary}`)
  }
  assert.equal(zipped.headers['content-encoding'], 'gzip')
  assert.notDeepEqual(plain.rawPayload, zipped.rawPayload)
  assert.match(plain.headers.etag, /^"/)
  assert.equal(plain.headers.etag, zipped.headers.etag)
  assert.equal(plain.headers.vary, undefined)
  assert.equal(zipped.headers.vary, 'accept-encoding')
}
JS
node run.mjs
