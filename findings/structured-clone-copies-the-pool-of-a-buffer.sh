#!/usr/bin/env bash
# `structuredClone` of a small Buffer copies the whole pool that Node cut it from: the clone of 2 bytes is a Uint8Array over 8,192. A
# store that isolates its values so holds 8 KiB for each: `get` of the in-process store of cacheable 2.5.0 gives such a
# clone. A Uint8Array of its own memory is cloned by its size. Input: Buffers of 2 bytes. Seen with Node 20.20.2, whose `Buffer.from` uses
# the pool below 4 KiB.
# It matters to us because the bounds of a memory cache count the bytes of a value: copies of Buffers have to be made by their length,
# never by `structuredClone`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
npm install --no-audit --no-fund --silent cacheable@2.5.0

cat > run.mjs <<'JS'
import assert from 'node:assert/strict'
import { CacheableMemory } from 'cacheable'

const clone = structuredClone(Buffer.from('ab'))
console.log(`structuredClone of a Buffer of 2 bytes: ${clone.length} bytes over ${clone.buffer.byteLength}`)
assert.deepEqual([clone.length, clone.buffer.byteLength], [2, 8192])
assert.equal(structuredClone(Uint8Array.of(1, 2)).buffer.byteLength, 2)

const held = []
const before = process.memoryUsage().arrayBuffers
for (let number = 0; number < 2000; number++) held.push(structuredClone(Buffer.from('ab')))
const perClone = (process.memoryUsage().arrayBuffers - before) / held.length
console.log(`2,000 clones hold ${Math.round(perClone)} bytes each`)
assert.ok(perClone > 8000)

const cache = new CacheableMemory({ ttl: '1h' })
cache.set('key', Buffer.from('ab'))
const value = cache.get('key')
console.log(`get of cacheable: ${value.length} bytes over ${value.buffer.byteLength}`)
assert.deepEqual([value.length, value.buffer.byteLength], [2, 8192])
JS
node run.mjs
