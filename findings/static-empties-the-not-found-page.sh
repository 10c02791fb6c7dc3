#!/usr/bin/env bash
# @fastify/static 10.1.11, the page for missing files as its README shows it (`reply.code(404).type('text/html').sendFile('404.html')` in
# the handler for not found): the 404 carries the plugin's `maxAge` and `immutable`. A request with its ETag gets a 404 without a body,
# and one with a Range a 404 with a part of the page. RFC 9110 §13.2.1 and §14.2 have both ignored for such a status. Seen with fastify 5.12.8.
# It matters to us because a browser that renews its stored page by the ETag shows an empty one, and a cache in front holds
# the 404 for a year, although the file may come with the next deployment: our edge evaluates conditions for 2xx alone.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
npm install --no-audit --no-fund --silent fastify@5.12.8 @fastify/static@10.1.11 @fastify/send@4.2.1

cat > run.mjs <<'JS'
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import fastifyStatic from '@fastify/static'
import Fastify from 'fastify'

mkdirSync('public')
writeFileSync('public/404.html', '<p>There is no such page.</p>')
const app = Fastify()
await app.register(fastifyStatic, { root: `${process.cwd()}/public`, maxAge: '1y', immutable: true })
app.setNotFoundHandler((request, reply) => reply.code(404).type('text/html').sendFile('404.html'))

const get = async (headers) => {
  const { statusCode, headers: { etag, 'cache-control': control, 'content-range': range }, body } = await app.inject({ url: '/app.js', headers })
  console.log(headers, '->', statusCode, control, range ?? '', JSON.stringify(body))
  return { statusCode, etag, control, range, body }
}
const whole = await get({})
assert.equal(whole.statusCode, 404)
assert.equal(whole.control, 'public, max-age=31536000, immutable')
assert.match(whole.body, /no such page/)
const renewed = await get({ 'if-none-match': whole.etag })
assert.deepEqual([renewed.statusCode, renewed.body], [404, ''])
const part = await get({ range: 'bytes=0-9' })
assert.deepEqual([part.statusCode, part.body, part.range], [404, '<p>There i', 'bytes 0-9/29'])
await app.close()
JS
node run.mjs
