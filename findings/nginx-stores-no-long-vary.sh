#!/usr/bin/env bash
# nginx 1.22.1 (Debian 12), proxy_cache: a response whose Vary is longer than 128 bytes is not stored, and its error log says nothing at
# level error. With 128 bytes it is. The documentation of proxy_cache_valid names "Vary: *" only as never cached. Input: two requests
# each.
# It matters to us because a policy that varies by seven fields, "accept, accept-encoding, accept-language, …", is stored by our edge and
# by no nginx in front of it: each such request reaches the app.
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
  const name = 'Accept-Language, X-'
  const vary = name.padEnd(Number(url.slice(1)) || name.length, 'y')
  response.setHeader('Cache-Control', 'public, max-age=60').setHeader('Vary', vary).end('text')
}
const nginx = spawn('nginx', ['-p', process.cwd(), '-e', 'run/error.log', '-c', 'nginx.conf'], { stdio: 'ignore' })
for (let tries = 0; !await ask('/up').then(() => true, () => false); tries++) {
  assert.ok(tries < 100, 'nginx does not answer')
  await wait(100)
}
const counts = {}
for (const length of [127, 128, 129, 150]) {
  runs = 0
  for (let times = 0; times < 2; times++) assert.equal((await ask(`/${length}`)).headers.vary.length, length)
  counts[length] = runs
}
console.log('runs of the app for two requests, by the length of Vary', counts)
assert.deepEqual(counts, { 127: 1, 128: 1, 129: 2, 150: 2 })
nginx.kill()
await once(nginx, 'exit')
app.close()
JS
PATH="$PATH:/usr/sbin" node run.mjs
