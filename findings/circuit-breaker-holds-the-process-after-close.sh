#!/usr/bin/env bash
# A circuit of @fastify/circuit-breaker 4.0.3 that has opened sets a timer for `resetTimeout`, which is neither cleared when the app
# closes nor unreferenced: the process goes on for that time after `app.close()`, ten seconds by default. Input: a route that fails
# until its circuit is open, and `app.close()`. Seen with fastify 5.12.8.
# It matters to us because a deployment that waits for the end of the old process waits for each open circuit, and because a test
# of a cache beside this plugin ends only when the timer does.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
npm install --no-audit --no-fund --silent fastify@5.12.8 @fastify/circuit-breaker@4.0.3

cat > run.mjs <<'JS'
import assert from 'node:assert/strict'
import circuitBreaker from '@fastify/circuit-breaker'
import Fastify from 'fastify'

const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length

async function timersAfterClose (isFailing) {
  const before = timers()
  const app = Fastify()
  await app.register(circuitBreaker, { threshold: 1, resetTimeout: 60_000 })
  app.get('/', { preHandler: app.circuitBreaker() }, async () => {
    if (isFailing) throw new Error('away')
    return 'x'
  })
  const { statusCode } = await app.inject('/')
  assert.equal(statusCode, isFailing ? 503 : 200)
  await app.close()
  return timers() - before
}

const closed = await timersAfterClose(false)
const open = await timersAfterClose(true)
console.log(`timers after app.close(): ${closed} with a closed circuit, ${open} with an open one`)
assert.equal(closed, 0)
assert.equal(open, 1)
process.exit(0)
JS
node run.mjs
