#!/usr/bin/env bash
# superjson 2.2.7 writes a Buffer without an error, and cannot read what it wrote: "Trying to deserialize unknown typed array". Other
# Uint8Arrays survive. An ArrayBuffer is read as an empty object, and an invalid Date as null, both in silence. Seen with Node 20.20.2.
# It matters to us because superjson is a usual serializer of caches (async-cache-dedupe names it as a transformer): an entry with a
# Buffer is stored, and each later read of it fails.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
npm install --no-audit --no-fund --silent superjson@2.2.7

cat > run.mjs <<'JS'
import assert from 'node:assert/strict'
import superjson from 'superjson'

const again = (value) => superjson.parse(superjson.stringify(value))
assert.deepEqual(again({ bytes: Uint8Array.of(1, 2) }), { bytes: Uint8Array.of(1, 2) })
const text = superjson.stringify({ bytes: Buffer.from('ab') })
console.log('a Buffer is written as', text)
assert.throws(() => superjson.parse(text), (error) => {
  console.log('and read with the error:', error.message)
  return /unknown typed array/.test(error.message)
})
const silent = again({ memory: Uint8Array.of(1, 2).buffer, time: new Date(Number.NaN) })
console.log('an ArrayBuffer and an invalid Date are read as', silent)
assert.deepEqual(silent, { memory: {}, time: null })
JS
node run.mjs
