#!/usr/bin/env bash
# Traffic Server 9.2.9 (Debian 12, 9.2.5+ds-0+deb12u4): a fresh response of the type text/plain with "Vary: Accept" is never used again for the
# request that it answered if that request had "Accept: text/html": three equal requests are three requests to the app. With "Accept: text/plain"
# they are one. RFC 9111 section 4.1 selects by the fields that Vary names, and these are equal. It matters to us because `vary: ['accept']`
# is how a policy names content negotiation: the guide says that such a route sends a type that the client accepts.
set -euo pipefail
command -v traffic_server > /dev/null || apt-get install --quiet --yes --no-install-recommends trafficserver=9.2.5+ds-0+deb12u4 > /dev/null
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

let runs = 0
const app = createServer((_request, response) => {
  response.setHeader('cache-control', 'public, max-age=60').setHeader('vary', 'Accept').setHeader('content-type', 'text/plain').end(`run ${++runs}`)
})
await portOf(app)
const files = {
  'runroot.yaml': `prefix: .
exec_prefix: /usr
bindir: /usr/bin
sbindir: /usr/sbin
sysconfdir: .
datadir: ./run
includedir: /usr/include
libdir: /usr/lib/trafficserver
libexecdir: /usr/lib/trafficserver/modules
localstatedir: ./run
runtimedir: ./run
logdir: ./run
cachedir: ./run
`,
  'records.config': `CONFIG proxy.config.http.server_ports STRING ${port}:ip-in=127.0.0.1
CONFIG proxy.config.admin.user_id STRING #-1
CONFIG proxy.config.crash_log_helper STRING NULL
CONFIG proxy.config.log.logging_enabled INT 0
`,
  'remap.config': `map / http://127.0.0.1:${app.address().port}/
`,
  'storage.config': `run 256M
`,
  'plugin.config': '',
  'ip_allow.yaml': `ip_allow:
  - apply: in
    ip_addrs: 127.0.0.1
    action: allow
    methods: ALL
`
}
for (const [name, text] of Object.entries(files)) writeFileSync(name, text)
const stop = await start('traffic_server', [`--run-root=${process.cwd()}`])
const counts = {}
for (const accept of ['text/plain', 'text/html']) {
  const before = runs
  for (let times = 0; times < 3; times++) await ask({ accept })
  counts[accept] = runs - before
}
console.log('requests of three that reached the app', counts)
assert.deepEqual(counts, { 'text/plain': 1, 'text/html': 3 })
await stop()
app.close()
JS
node run.mjs
