#!/usr/bin/env bash
# ioredis 6.0.0 speaks RESP3 by default, and CLIENT TRACKING ON is accepted on such a connection; but the "invalidate" pushes that
# Redis then sends raise no event of the client at all, not even an error. A raw socket that sends the same commands gets the push,
# and an ioredis client with `protocol: 2` that redirects tracking to itself gets the message. Seen with redis-server 7.0.15.
# It matters to us because a near cache that waits for these pushes would never hear of a change: the connection that listens
# for invalidations has to ask for protocol 2.
set -euo pipefail
command -v redis-server > /dev/null || { echo 'needs redis-server in the PATH' >&2; exit 2; }
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
npm install --no-audit --no-fund --silent ioredis@6.0.0
redis-server --port 0 --unixsocket "$folder/redis.sock" --save '' --dir "$folder" > redis.log &
server=$!

cat > run.mjs <<'JS'
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { Redis } from 'ioredis'

const path = `${process.cwd()}/redis.sock`
for (let tries = 0; !existsSync(path) && tries < 200; tries++) await wait(50)

const socket = connect(path)
let received = ''
socket.on('data', (data) => { received += data })
socket.write('HELLO 3\r\nCLIENT TRACKING ON\r\nGET watched\r\n')

const byDefault = new Redis({ path })
await once(byDefault, 'ready')
const events = []
const emit = byDefault.emit
byDefault.emit = function (name, ...rest) {
  events.push(name)
  return emit.call(this, name, ...rest)
}
assert.equal(await byDefault.client('TRACKING', 'ON'), 'OK')
await byDefault.get('watched')

const older = new Redis({ path, protocol: 2 })
const messages = []
older.on('message', (channel, message) => messages.push(`${channel} ${message}`))
await older.client('TRACKING', 'ON', 'REDIRECT', await older.client('ID'), 'BCAST')
await older.subscribe('__redis__:invalidate')

const writer = new Redis({ path })
await writer.set('watched', 'changed')
for (let tries = 0; (messages.length === 0 || !received.includes('invalidate')) && tries < 200; tries++) await wait(50)
// A reply that follows the push on the same connection: the push has been read.
await byDefault.ping()

const [, version] = /redis_version:(\S+)/.exec(await writer.info('server'))
console.log(`redis-server ${version}`)
console.log(`raw RESP3 socket: ${JSON.stringify(received.slice(received.indexOf('>2')))}`)
console.log(`ioredis, protocol 2: ${messages}`)
console.log(`ioredis, default protocol: ${events.length} events`)
assert.ok(received.endsWith('>2\r\n$10\r\ninvalidate\r\n*1\r\n$7\r\nwatched\r\n'))
assert.deepEqual(messages, ['__redis__:invalidate watched'])
assert.deepEqual(events, [])
socket.destroy()
for (const client of [byDefault, older, writer]) client.disconnect()
JS
node run.mjs
