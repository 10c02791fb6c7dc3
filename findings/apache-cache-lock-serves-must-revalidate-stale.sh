#!/usr/bin/env bash
# Apache httpd 2.4.71 (Debian 12), mod_cache with "CacheLock On": of ten clients at the expiry of a response that says "max-age=1,
# must-revalidate", one gets the new response of the app and the others the stale one, with status 200, although RFC 9111 section 5.2.2.2
# forbids a cache to reuse it without validation. It matters to us because "must-revalidate" is the default of our policies, and the lock is
# Apache's only means against many requests for one URL: our configuration leaves it off, and the matrix says so.
set -euo pipefail
command -v apache2 > /dev/null || apt-get install --quiet --yes --no-install-recommends apache2=2.4.71-1~deb12u1 > /dev/null
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

let body = 'old'
let requests = 0
const app = createServer(async (_request, response) => {
  requests++
  if (body === 'new') await wait(500)
  response.setHeader('cache-control', 'public, max-age=1, must-revalidate').end(body)
})
await portOf(app)

const apache = (more) => {
  const modules = ['mpm_event', 'authz_core', 'proxy', 'proxy_http', 'filter', 'deflate', 'cache', 'cache_disk']
  writeFileSync('httpd.conf', `ServerRoot /usr/lib/apache2
${modules.map((name) => `LoadModule ${name}_module modules/mod_${name}.so`).join('\n')}
Listen 127.0.0.1:${port}
ServerName app.example
User www-data
Group www-data
PidFile \${RUN}/httpd.pid
ErrorLog \${RUN}/error.log
DefaultRuntimeDir \${RUN}
ProxyPass / http://127.0.0.1:${app.address().port}/
${more}
`)
  return start('apache2', ['-D', 'FOREGROUND', '-f', `${process.cwd()}/httpd.conf`])
}

const stop = await apache('CacheQuickHandler Off\nCacheRoot ${RUN}/cache\nCacheEnable disk /\nCacheLock On\nCacheLockPath ${RUN}/lock')
await wait(2100)
await ask()
await wait(2100)
body = 'new'
requests = 0
const bodies = (await Promise.all(Array.from({ length: 10 }, () => ask()))).map((answer) => answer.body)
const stale = bodies.filter((text) => text === 'old').length
console.log({ requests, stale, fresh: bodies.length - stale })
assert.ok(stale >= 1)
assert.ok(requests < 10)
await stop()
app.close()
JS
node run.mjs
