#!/usr/bin/env bash
# light-my-request 6.6.0 (`inject` of fastify 5.12.8) drops an empty query: `inject('/a?')` reaches the app as `/a`. Over a socket the app
# is given `/a?`, which RFC 3986 §6.2.3 does not call equivalent. A test by inject never sees the second spelling.
# It matters to us because both spellings are keys of their own, and a background request by inject would renew the other one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
npm install --no-audit --no-fund --silent fastify@5.12.8 light-my-request@6.6.0

cat > run.mjs <<'JS'
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import Fastify from 'fastify'

const app = Fastify()
app.get('/a', async ({ raw }) => raw.url)
const injected = (await app.inject('/a?')).body
await app.listen({ port: 0, host: '127.0.0.1' })
const socket = connect(app.server.address().port, '127.0.0.1')
socket.end('GET /a? HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n')
const sent = (await socket.setEncoding('utf8').toArray()).join('').split('\r\n\r\n')[1]
await app.close()
console.log({ injected, sent })
assert.equal(injected, '/a')
assert.equal(sent, '/a?')
JS
node run.mjs
