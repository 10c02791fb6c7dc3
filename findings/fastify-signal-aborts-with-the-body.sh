#!/usr/bin/env bash
# In fastify 5.12.8 `request.signal` is aborted as soon as the body of a POST has been read, while its client is connected and waits
# for the answer; `request.raw.aborted` stays false and the socket stands. The signal of a GET is not aborted before its answer. A loader or
# a fetch that is given the signal, as the documentation of the property suggests, fails in every handler of a POST. It matters to us
# because the end of a caller must not be taken for the result of a load: the signal alone does not prove that the client has left.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
npm install --no-audit --no-fund --silent fastify@5.12.8

cat > run.mjs <<'JS'
import assert from 'node:assert/strict'
import { setTimeout as wait } from 'node:timers/promises'
import Fastify from 'fastify'

const app = Fastify()
app.all('/', async (request) => {
  const { signal, raw } = request
  await wait(50)
  return { signal: signal.aborted, raw: raw.aborted, socket: raw.socket.destroyed }
})
const url = await app.listen({ port: 0, host: '127.0.0.1' })

/** What a handler sees 50 ms after it began, while its client waits. */
async function ask (init) {
  const seen = await (await fetch(url, init)).json()
  console.log(`${init.method}: signal aborted ${seen.signal}, raw aborted ${seen.raw}, socket destroyed ${seen.socket}`)
  return seen
}

assert.deepEqual(await ask({ method: 'GET' }), { signal: false, raw: false, socket: false })
assert.deepEqual(await ask({ method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"a":1}' }), { signal: true, raw: false, socket: false })
await app.close()
JS
node run.mjs
