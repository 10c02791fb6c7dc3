#!/usr/bin/env bash
# cacheable 2.5.0: a function of `wrap()` that rejects resolves with `undefined`, and so does `getOrSet()`; the README says that `wrap`
# returns the error. With `throwErrors: true`, which it lists for `getOrSet` alone, `getOrSet` rejects. Input: an async function that
# throws; output: `undefined`. The handler answers 200 with no body where the bare function would have been a 500.
# It matters to us because an app that changes from it may rest on that: our `wrap` and `getOrSet` give an error as an error.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
npm install --no-audit --no-fund --silent cacheable@2.5.0 fastify@5.12.8

cat > run.mjs <<'JS'
import assert from 'node:assert/strict'
import { Cacheable } from 'cacheable'
import Fastify from 'fastify'

const cache = new Cacheable()
const load = async () => { throw new Error('the database is away') }
const wrapped = cache.wrap(load, { ttl: '1h', keyPrefix: 'load' })
const app = Fastify()
app.get('/bare', load)
app.get('/wrapped', () => wrapped())
app.get('/get-or-set', () => cache.getOrSet('key', load))
app.get('/throwing', () => cache.getOrSet('key', load, { throwErrors: true }))
const seen = {}
for (const url of ['/bare', '/wrapped', '/get-or-set', '/throwing']) {
  const { statusCode, body } = await app.inject(url)
  seen[url] = statusCode
  console.log(url, statusCode, JSON.stringify(body))
}
assert.deepEqual(seen, { '/bare': 500, '/wrapped': 200, '/get-or-set': 200, '/throwing': 500 })
await app.close()
await cache.disconnect()
JS
node run.mjs
