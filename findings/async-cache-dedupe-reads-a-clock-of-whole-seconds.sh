#!/usr/bin/env bash
# async-cache-dedupe 3.4.0, storage in memory: its clock has whole seconds, and a reading of it is used for one second more. An entry
# with `ttl: 1` may be gone after 0.2 seconds, and one with `ttl: 2` may be a hit after 2.8. The README calls the ttl "the maximum time a
# cache entry can live", in seconds; it takes no fractions. Input: calls at chosen parts of a second of the clock.
# It matters to us because an app that sets a ttl of a second or two here gets another hit rate, or older values, than it does with our ttl,
# which counts milliseconds: the numbers of the two cannot be compared.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
npm install --no-audit --no-fund --silent async-cache-dedupe@3.4.0

cat > run.mjs <<'JS'
import assert from 'node:assert/strict'
import { setTimeout as wait } from 'node:timers/promises'
import { createCache } from 'async-cache-dedupe'

/** Waits for the next second of the clock and `part` milliseconds of it. */
const second = (part) => wait(1000 - Date.now() % 1000 + part)
let loads = 0
/** A function with a cache; each call answers with the number of the load. */
const cached = (ttl) => createCache({ ttl }).define('load', async () => ++loads).load

await wait(1100) // no reading of the clock is in use
await second(50)
const short = cached(1)
await short('another key') // reads the clock
await wait(900)
const first = await short('key')
await wait(200)
const afterwards = await short('key')
console.log(`ttl 1: load ${first}, and 0.2 seconds later load ${afterwards}`)
assert.notEqual(afterwards, first)

await wait(1100)
await second(50)
const long = cached(2)
const begin = performance.now()
const before = await long('key')
await wait(1850)
assert.equal(await long('key'), before)
await wait(900)
const age = performance.now() - begin
console.log(`ttl 2: load ${before}, and ${(age / 1000).toFixed(1)} seconds later load ${await long('key')}`)
assert.equal(await long('key'), before)
assert.ok(age > 2700)
JS
node run.mjs
