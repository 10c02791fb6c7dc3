#!/usr/bin/env bash
# nginx 1.22.1 (Debian 12), proxy_cache: a response that arrives with "Age: 59" and "max-age=60" is used for another 60 seconds, and is
# sent with "Age: 59" all that time. RFC 9111 §4.2.3 subtracts the Age at arrival, and §5.1 has a cache send the present one: the response
# is stale one second later. Input: three requests within three seconds; output: one run of the app, and Age 59 three times.
# It matters to us because the edge in the app answers stored responses with an Age: with nginx in front, a response may be twice as old
# as its lifetime, unless nginx is given the rest of it in X-Accel-Expires.
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
function answer (_message, response) {
  runs++
  response.setHeader('Cache-Control', 'public, max-age=60').setHeader('Age', '59').end('text')
}
const nginx = spawn('nginx', ['-p', process.cwd(), '-e', 'run/error.log', '-c', 'nginx.conf'], { stdio: 'ignore' })
for (let tries = 0; !await ask('/up').then(() => true, () => false); tries++) {
  assert.ok(tries < 100, 'nginx does not answer')
  await wait(100)
}
runs = 0
const ages = []
for (let times = 0; times < 3; times++) {
  ages.push((await ask('/text')).headers.age)
  await wait(1500)
}
console.log({ runs, ages })
assert.deepEqual({ runs, ages }, { runs: 1, ages: ['59', '59', '59'] })
nginx.kill()
await once(nginx, 'exit')
app.close()
JS
PATH="$PATH:/usr/sbin" node run.mjs
