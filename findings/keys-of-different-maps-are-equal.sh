#!/usr/bin/env bash
# Arguments that differ have one cache key. async-cache-dedupe 3.4.0 (`define`) and cacheable 2.5.0 (`wrap`) make the key from the JSON
# text, which is {} for each Map, Set and URLSearchParams: the second caller gets the value of the first. In async-cache-dedupe 1, 1n and
# '1' are one key, too; in cacheable { a: 1, b: 2 } and { b: 2, a: 1 } are two. `Value.Hash` of typebox 1.4.3 gives one hash for all Maps,
# and for all Sets.
# It matters to us because a search function takes its URLSearchParams as the argument: the key of a wrapped function has to name the
# contents, or refuse the argument.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
npm install --no-audit --no-fund --silent async-cache-dedupe@3.4.0 cacheable@2.5.0 typebox@1.4.3

cat > run.mjs <<'JS'
import assert from 'node:assert/strict'
import { createCache } from 'async-cache-dedupe'
import { Cacheable } from 'cacheable'
import { Value } from 'typebox/value'

let runs = 0
const load = async () => `run ${++runs}`
const dedupe = createCache({ ttl: 60, storage: { type: 'memory' } })
dedupe.define('load', load)
const cacheable = new Cacheable()
const wrapped = cacheable.wrap(load, { ttl: '1h', keyPrefix: 'load' })

const pairs = {
  Map: [new Map([['page', 1]]), new Map([['page', 2]])],
  Set: [new Set([1]), new Set([2])],
  URLSearchParams: [new URLSearchParams('page=1'), new URLSearchParams('page=2')],
  number: [1, 2],
  'number and text': [1, '1'],
  'order of members': [{ a: 1, b: 2 }, { b: 2, a: 1 }]
}
const shared = { dedupe: [], cacheable: [], typebox: [] }
for (const [name, [one, other]] of Object.entries(pairs)) {
  if (await dedupe.load(one) === await dedupe.load(other)) shared.dedupe.push(name)
  if (await wrapped(one) === await wrapped(other)) shared.cacheable.push(name)
  if (Value.Hash(one) === Value.Hash(other)) shared.typebox.push(name)
}
console.log('pairs with one key', shared)
assert.deepEqual(shared, {
  dedupe: ['Map', 'Set', 'URLSearchParams', 'number and text', 'order of members'],
  cacheable: ['Map', 'Set', 'URLSearchParams'],
  typebox: ['Map', 'Set', 'URLSearchParams', 'order of members']
})
await cacheable.disconnect()
JS
node run.mjs
