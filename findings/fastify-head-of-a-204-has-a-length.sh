#!/usr/bin/env bash
# fastify 5.12.8: a handler that answers 204 with a payload (`reply.code(204).send({ ok: true })`). To GET Fastify drops the payload with
# its content-type and content-length. To HEAD it sends both, although a 204 must not have a Content-Length (RFC 9110 §8.6), so an HTTP/2 client
# on nghttp2 (Node 20.20.2) gets no response: its stream ends with NGHTTP2_PROTOCOL_ERROR. Node's HTTP/1.1 client takes it.
# It matters to us because a stored 204 has to be sent without both to HEAD, too, although the route itself sends them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
npm install --no-audit --no-fund --silent fastify@5.12.8

cat > run.mjs <<'JS'
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:http2'
import Fastify from 'fastify'

async function listen (options) {
  const app = Fastify(options)
  app.get('/', (_request, reply) => reply.code(204).send({ ok: true }))
  await app.listen({ port: 0 })
  return { app, port: app.server.address().port }
}

const one = await listen({})
const overHttp1 = async (method) => {
  const sent = request({ port: one.port, method }).end()
  const [{ statusCode, headers }] = await once(sent, 'response')
  return { statusCode, type: headers['content-type'], length: headers['content-length'] }
}
const [get, head] = [await overHttp1('GET'), await overHttp1('HEAD')]
console.log('HTTP/1.1', { get, head })
assert.deepEqual(get, { statusCode: 204, type: undefined, length: undefined })
assert.deepEqual(head, { statusCode: 204, type: 'application/json; charset=utf-8', length: '11' })
await one.app.close()

const two = await listen({ http2: true })
const client = connect(`http://localhost:${two.port}`)
const overHttp2 = (method) => new Promise((resolve) => {
  const stream = client.request({ ':method': method, ':path': '/' })
  let status
  stream.on('response', (headers) => { status = headers[':status'] })
  stream.on('error', ({ message }) => { status = message })
  stream.on('close', () => resolve(status))
  stream.resume()
})
const answers = { get: await overHttp2('GET'), head: await overHttp2('HEAD') }
console.log('HTTP/2', answers)
assert.equal(answers.get, 204)
assert.match(answers.head, /NGHTTP2_PROTOCOL_ERROR/)
client.close()
await two.app.close()
JS
node run.mjs
