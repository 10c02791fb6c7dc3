#!/usr/bin/env bash
# @fastify/etag 6.2.0 looks at neither method nor status: a POST whose If-None-Match has the tag of the last answer runs its handler and
# is answered with 304 and no body; an error of status 500 with the same body becomes a 304 as well. RFC 9110 §13.1.2 allows 304 for
# GET and HEAD only, §13.2.1 wants preconditions ignored where the answer would be neither 2xx nor 412. A list of tags, which §13.1.2
# allows, never matches. Seen with fastify 5.12.8. It matters to us because our edge uses the plugin for its tags: its
# `replyWith304` has to be off, and the conditional step is our own.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
npm install --no-audit --no-fund --silent fastify@5.12.8 @fastify/etag@6.2.0

cat > run.mjs <<'JS'
import assert from 'node:assert/strict'
import etag from '@fastify/etag'
import Fastify from 'fastify'

const app = Fastify()
await app.register(etag)
let orders = 0
app.get('/article', async () => ({ title: 'Tags' }))
app.post('/orders', async () => { orders++; return { accepted: true } })
app.get('/report', async (_request, reply) => reply.code(500).send({ message: 'The report is being rebuilt' }))

/** The statuses of a request and of the same with an If-None-Match made of the first answer's tag. */
async function twice (method, url, condition = (tag) => tag) {
  const first = await app.inject({ method, url })
  const second = await app.inject({ method, url, headers: { 'if-none-match': condition(first.headers.etag) } })
  const seen = `${first.statusCode}, then ${second.statusCode} with ${second.body.length} bytes`
  console.log(`${method} ${url}: ${seen}`)
  return seen
}

assert.equal(await twice('GET', '/article'), '200, then 304 with 0 bytes')
assert.equal(await twice('POST', '/orders'), '200, then 304 with 0 bytes')
assert.equal(orders, 2)
assert.equal(await twice('GET', '/report'), '500, then 304 with 0 bytes')
assert.equal(await twice('GET', '/article', (tag) => `"another", ${tag}`), '200, then 200 with 16 bytes')
JS
node run.mjs
