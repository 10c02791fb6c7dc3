#!/usr/bin/env bash
# Squid 5.7 (Debian 12): an expired response with a weak ETag and without Last-Modified is validated by "If-Modified-Since" alone, with the
# time at which it was stored, and without "If-None-Match". An app that answers by its ETag has to send the whole response. With a strong ETag,
# Squid sends both fields. It matters to us because our computed ETags are weak: behind Squid no validation ends with a 304, so the guide
# names `etag: { weak: false }` and a Last-Modified of the app.
set -euo pipefail
command -v squid > /dev/null || apt-get install --quiet --yes --no-install-recommends squid=5.7-2+deb12u6 > /dev/null
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
chmod 755 .
mkdir -m 1777 run run/cache run/lock

cat > run.mjs <<'JS'
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'

const portOf = async (server) => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server.address().port
}
const spare = createServer()
const port = await portOf(spare)
spare.close()

async function ask (headers = {}) {
  const sent = request({ port, host: '127.0.0.1', headers: { host: 'app.example', ...headers }, agent: false }).end()
  const [response] = await once(sent, 'response')
  const chunks = await response.toArray()
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks).toString() }
}
import { writeFileSync } from 'node:fs'

async function start (command, args) {
  const proxy = spawn(command, args, { env: { ...process.env, RUN: `${process.cwd()}/run`, PATH: `${process.env.PATH}:/usr/sbin` }, stdio: 'ignore' })
  for (let tries = 0; ; tries++) {
    const isUp = await ask().then(({ status }) => status === 200, () => false)
    if (isUp) return async () => { proxy.kill(); await once(proxy, 'exit') }
    assert.ok(tries < 200, 'the proxy does not answer')
    await wait(100)
  }
}

let etag
const conditions = []
const app = createServer(({ headers }, response) => {
  conditions.push({ 'if-none-match': headers['if-none-match'], 'if-modified-since': headers['if-modified-since'] })
  response.setHeader('cache-control', 'public, max-age=1').setHeader('etag', etag).end('x')
})
await portOf(app)

const squid = (more = '') => {
  writeFileSync('squid.conf', `http_port 127.0.0.1:${port} accel vhost defaultsite=app.example
cache_peer 127.0.0.1 parent ${app.address().port} 0 no-query no-digest originserver
http_access allow all
visible_hostname squid
pid_filename none
cache_log run/cache.log
access_log none
coredump_dir run
netdb_filename none
pinger_enable off
shutdown_lifetime 0 seconds
${more}
`)
  return start('squid', ['-N', '-f', `${process.cwd()}/squid.conf`])
}

for (const [tag, seen] of [['W/"v1"', undefined], ['"v1"', '"v1"']]) {
  etag = tag
  const stop = await squid()
  await wait(2100)
  conditions.length = 0
  await ask()
  console.log(tag, conditions[0])
  assert.equal(conditions[0]['if-none-match'], seen)
  assert.ok(conditions[0]['if-modified-since'])
  await stop()
}
app.close()
JS
node run.mjs
