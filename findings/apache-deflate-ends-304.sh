#!/usr/bin/env bash
# Apache httpd 2.4.71 (Debian 12), mod_proxy with mod_deflate: the ETag W/"v1" of the app reaches a client as W/"v1-gzip". The client sends that
# in If-None-Match, Apache forwards it unchanged, and the app, which knows W/"v1" only, sends the whole response. With
# "DeflateAlterETag NoChange" the client gets a 304. It matters to us because no client that accepts gzip would ever get a 304 from an app
# with our plugin behind such a proxy: hence the directive in our configuration, and the option `etagSuffixes`.
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

const tags = []
const app = createServer(({ headers }, response) => {
  tags.push(headers['if-none-match'])
  response.setHeader('etag', 'W/"v1"').setHeader('content-type', 'text/html')
  if (headers['if-none-match'] === 'W/"v1"') response.writeHead(304).end()
  else response.end('text '.repeat(1000))
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

for (const [more, etag, status] of [['', 'W/"v1-gzip"', 200], ['DeflateAlterETag NoChange', 'W/"v1"', 304]]) {
  const stop = await apache(`SetOutputFilter DEFLATE\n${more}`)
  const first = await ask({ 'accept-encoding': 'gzip' })
  const second = await ask({ 'accept-encoding': 'gzip', 'if-none-match': first.headers.etag })
  console.log({ more, etag: first.headers.etag, forwarded: tags.at(-1), status: second.status })
  assert.deepEqual([first.headers['content-encoding'], first.headers.etag, tags.at(-1), second.status], ['gzip', etag, etag, status])
  await stop()
}
app.close()
JS
node run.mjs
