#!/usr/bin/env bash
# Traffic Server 9.2.9 (Debian 12, 9.2.5+ds-0+deb12u4): of a response with the lines "Vary: Accept" and "Vary: X-Lang" it reads the first alone,
# and hands the response for "X-Lang: de" to a client with "X-Lang: fr". In one line, "Vary: Accept, X-Lang", both count. Several lines of a list
# field mean the same as one line (RFC 9110 section 5.3). It matters to us because a handler may set `Vary` as an array: the configuration in
# trafficserver/edge.config joins the lines before the response is stored.
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

async function ask (headers = {}, path = '/') {
  const sent = request({ path, port, host: '127.0.0.1', headers: { host: 'app.example', ...headers }, agent: false }).end()
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

const app = createServer(({ url, headers }, response) => {
  const vary = url === '/lines' ? ['Accept', 'X-Lang'] : 'Accept, X-Lang'
  response.setHeader('cache-control', 'public, max-age=60').setHeader('vary', vary).end(`for ${headers['x-lang']}`)
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
const bodies = {}
for (const path of ['/lines', '/line']) {
  bodies[path] = []
  for (const language of ['de', 'fr']) bodies[path].push((await ask({ 'x-lang': language }, path)).body)
}
console.log(bodies)
assert.deepEqual(bodies, { '/lines': ['for de', 'for de'], '/line': ['for de', 'for fr'] })
await stop()
app.close()
JS
node run.mjs
