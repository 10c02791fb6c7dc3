#!/usr/bin/env bash
# nginx 1.22.1 (Debian 12): of Expires and Cache-Control the field that stands first in the response decides. "Expires" of 1970 in front
# of "Cache-Control: public, max-age=60" is not stored; behind it, it is. RFC 9111 §5.3 has max-age override Expires in any order. Input:
# two requests with each order; output: two runs of the app, and one.
# It matters to us because a hook or a handler that sets Expires, for old clients, does so before our plugin adds Cache-Control: nginx
# then stores nothing, unless it has `proxy_ignore_headers Expires`.
set -euo pipefail
command -v nginx > /dev/null || apt-get install --quiet --yes --no-install-recommends nginx=1.22.1-9+deb12u11 > /dev/null
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
chmod 755 .
mkdir -m 1777 run

cat > run.mjs <<'JS'
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'

const app = createServer((message, response) => answer(message, response)).listen(0, '127.0.0.1')
await once(app, 'listening')
const spare = createServer().listen(0, '127.0.0.1')
await once(spare, 'listening')
const { port } = spare.address()
spare.close()
const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path run/${name};`).join(' ')
writeFileSync('nginx.conf', `daemon off;
pid run/nginx.pid;
error_log run/error.log;
events {}
http {
  access_log off;
  ${temporary}
  proxy_cache_path run/cache keys_zone=zone:1m;
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://127.0.0.1:${app.address().port}; proxy_cache zone; }
  }
}
`)
async function ask (path) {
  const sent = request({ port, path, host: '127.0.0.1', agent: false }).end()
  const [response] = await once(sent, 'response')
  return { headers: response.headers, body: Buffer.concat(await response.toArray()).toString() }
}
let runs = 0
function answer ({ url }, response) {
  runs++
  const fields = [['Expires', 'Thu, 01 Jan 1970 00:00:00 GMT'], ['Cache-Control', 'public, max-age=60']]
  if (url === '/cache-control-first') fields.reverse()
  for (const [name, value] of fields) response.setHeader(name, value)
  response.end('text')
}
const nginx = spawn('nginx', ['-p', process.cwd(), '-e', 'run/error.log', '-c', 'nginx.conf'], { stdio: 'ignore' })
for (let tries = 0; !await ask('/up').then(() => true, () => false); tries++) {
  assert.ok(tries < 100, 'nginx does not answer')
  await wait(100)
}
const counts = {}
for (const path of ['/expires-first', '/cache-control-first']) {
  runs = 0
  for (let times = 0; times < 2; times++) await ask(path)
  counts[path] = runs
}
console.log('runs of the app for two requests', counts)
assert.deepEqual(counts, { '/expires-first': 2, '/cache-control-first': 1 })
nginx.kill()
await once(nginx, 'exit')
app.close()
JS
PATH="$PATH:/usr/sbin" node run.mjs
