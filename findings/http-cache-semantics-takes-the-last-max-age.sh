#!/usr/bin/env bash
# http-cache-semantics 4.3.0: of two `max-age` the last one counts, so `max-age=0, max-age=60` is fresh for a minute (RFC 9111 §4.2.1: the
# first one, or stale). The response to a POST with a lifetime satisfies another POST of that URL, whose content may be another one
# (RFC 9110 §9.3.3: only a later GET or HEAD, and only with Content-Location); the response to a QUERY is never stored.
# It matters to us because clients of this library and our store differ on the same fields: ours takes the shorter lifetime, stores no
# POST, and stores a QUERY by its content.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
npm install --no-audit --no-fund --silent http-cache-semantics@4.3.0

cat > run.mjs <<'JS'
import assert from 'node:assert/strict'
import CachePolicy from 'http-cache-semantics'

const request = (method = 'GET') => ({ method, url: '/', headers: { host: 'a.example' } })
const policy = (control, method) => new CachePolicy(request(method), { status: 200, headers: { 'cache-control': control } }, { shared: true })

for (const [control, seconds] of [['max-age=0, max-age=60', 60], ['max-age=60, max-age=0', 0]]) {
  const found = Math.round(policy(control).timeToLive() / 1000)
  console.log(`${control}: fresh for ${found} s`)
  assert.equal(found, seconds)
}
const posted = policy('max-age=60', 'POST')
console.log(`a POST answers another POST: ${posted.satisfiesWithoutRevalidation(request('POST'))}, a GET: ${posted.satisfiesWithoutRevalidation(request())}`)
assert.equal(posted.satisfiesWithoutRevalidation(request('POST')), true)
assert.equal(posted.satisfiesWithoutRevalidation(request()), false)
assert.equal(policy('max-age=60', 'QUERY').storable(), false)
JS
node run.mjs
