#!/usr/bin/env bash
# Apache httpd 2.4.71 and Traffic Server 9.2.9 (Debian 12): of two `max-age` the last one counts, so a response with "max-age=0, max-age=60" is
# served from the cache, and one with "max-age=60, max-age=0" is not. RFC 9111 section 4.2.1: the first one, or stale. It matters to us because
# an app and its plugins may each add a directive: our store takes the shorter lifetime, and these proxies may hold the response for longer.
set -euo pipefail
command -v apache2 > /dev/null || apt-get install --quiet --yes --no-install-recommends apache2=2.4.71-1~deb12u1 > /dev/null
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

const CONTROLS = { '/zero-first': 'max-age=0, max-age=60', '/zero-last': 'max-age=60, max-age=0' }
const requests = {}
const app = createServer(({ url }, response) => {
  requests[url] = (requests[url] ?? 0) + 1
  response.setHeader('cache-control', `public, ${CONTROLS[url] ?? 'no-store'}`).end('body')
})
await portOf(app)
const modules = ['mpm_event', 'authz_core', 'proxy', 'proxy_http', 'filter', 'cache', 'cache_disk']
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
  'httpd.conf': `ServerRoot /usr/lib/apache2
${modules.map((name) => `LoadModule ${name}_module modules/mod_${name}.so`).join('\n')}
Listen 127.0.0.1:${port}
ServerName app.example
User www-data
Group www-data
PidFile \${RUN}/httpd.pid
ErrorLog \${RUN}/error.log
DefaultRuntimeDir \${RUN}
ProxyPass / http://127.0.0.1:${app.address().port}/
CacheQuickHandler Off
CacheRoot \${RUN}/cache
CacheEnable disk /
`,
  'ip_allow.yaml': `ip_allow:
  - apply: in
    ip_addrs: 127.0.0.1
    action: allow
    methods: ALL
`
}
for (const [name, text] of Object.entries(files)) writeFileSync(name, text)
const PROXIES = {
  'Apache httpd': ['apache2', ['-D', 'FOREGROUND', '-f', `${process.cwd()}/httpd.conf`]],
  'Traffic Server': ['traffic_server', [`--run-root=${process.cwd()}`]]
}
for (const [name, command] of Object.entries(PROXIES)) {
  const stop = await start(...command)
  for (const path of Object.keys(CONTROLS)) {
    requests[path] = 0
    for (let times = 0; times < 2; times++) await ask({}, path)
    console.log(`${name}, ${CONTROLS[path]}: two clients, ${requests[path]} requests to the app`)
  }
  assert.equal(requests['/zero-first'], 1)
  assert.equal(requests['/zero-last'], 2)
  await stop()
}
app.close()
JS
node run.mjs
