#!/usr/bin/env bash
# Squid 5.7 (Debian 12): with "collapsed_forwarding on", only the last variant of a URL with Vary stays stored. Four requests for a response
# that is fresh for a minute and has "Vary: Accept-Language", in the languages de, fr, fr, de: the app is asked for the last "de" again,
# so it makes three responses. With "collapsed_forwarding off", the default, it makes two. It matters to us because the directive is the one
# with which requests for one missing URL become one request: our configuration leaves it off, since Vary is on most of our responses.
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

let runs = 0
const app = createServer((_request, response) => {
  response.setHeader('cache-control', 'public, max-age=60').setHeader('vary', 'Accept-Language').end(`run ${++runs}`)
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

const counts = {}
for (const mode of ['on', 'off']) {
  const stop = await squid(`collapsed_forwarding ${mode}`)
  runs = 0
  for (const language of ['de', 'fr', 'fr', 'de']) await ask({ 'accept-language': language })
  counts[mode] = runs
  await stop()
}
console.log('responses that the app made, with collapsed_forwarding', counts)
assert.deepEqual(counts, { on: 3, off: 2 })
app.close()
JS
node run.mjs
