#!/usr/bin/env bash
# bentocache 1.6.1, memory layer: `grace` counts from the store, not from the end of the ttl. An entry with `ttl: '2s'` and `grace: '4s'` is
# served stale for two seconds, not for four. With a grace that is not longer than the ttl no stale value is ever served, without an error
# or a warning. README and types do not say where the period begins. Input: a factory that fails once the ttl is over.
# It matters to us because our windows `staleWhileRevalidate` and `staleIfError` begin where the ttl ends, as in RFC 5861: who moves from
# one to the other with the same numbers serves stale values for longer than before. The guide on migration subtracts the ttl.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
npm install --no-audit --no-fund --silent bentocache@1.6.1

cat > run.mjs <<'JS'
import assert from 'node:assert/strict'
import { setTimeout as wait } from 'node:timers/promises'
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'

const bento = new BentoCache({ default: 'memory', stores: { memory: bentostore().useL1Layer(memoryDriver()) } })
/** Reads with a factory that fails; answers with the value, or with `failed`. */
const read = (key, options) => bento.getOrSet({ key, factory: () => { throw new Error('the database is down') }, graceBackoff: 0, ...options }).catch(() => 'failed')
const begin = performance.now()
const until = (seconds) => wait(begin + 1000 * seconds - performance.now())

const longer = { ttl: '2s', grace: '4s' }
const shorter = { ttl: '2s', grace: '1s' }
for (const [key, options] of [['longer', longer], ['shorter', shorter]]) await bento.set({ key, value: 'stored', ...options })
assert.equal(await read('longer', longer), 'stored')
await until(2.5)
const inGrace = await read('longer', longer)
const noGrace = await read('shorter', shorter)
await until(4.5)
const afterFour = await read('longer', longer)
console.log(`ttl 2 s, grace 4 s: ${inGrace} after 2.5 s, ${afterFour} after 4.5 s; ttl 2 s, grace 1 s: ${noGrace} after 2.5 s`)
assert.deepEqual([inGrace, afterFour, noGrace], ['stored', 'failed', 'failed'])
await bento.disconnectAll()
JS
node run.mjs
