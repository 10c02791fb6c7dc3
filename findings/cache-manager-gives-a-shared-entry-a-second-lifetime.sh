#!/usr/bin/env bash
# cache-manager 7.2.9 (keyv 5.6.0), two stores: `wrap` that finds its entry in the second one writes it to the first with a whole ttl again.
# Input: two processes with a memory store each and one in common, `ttl` 1000; the other process reads the entry at its age of 800 ms.
# Output: at 1600 ms it still answers with it, while the first process has a new value. The README calls the ttl the "time to live".
# It matters to us because a value may be twice as old as its ttl says, and two processes then differ: an entry that we take from Redis
# keeps the end that it has there.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
npm install --no-audit --no-fund --silent cache-manager@7.2.9 keyv@5.6.0

cat > run.mjs <<'JS'
import assert from 'node:assert/strict'
import { setTimeout as wait } from 'node:timers/promises'
import { createCache } from 'cache-manager'
import { Keyv } from 'keyv'

const common = new Map()
const [one, other] = [1, 2].map(() => createCache({ ttl: 1000, stores: [new Keyv(), new Keyv({ store: common })] }))
let loads = 0
const load = async () => ++loads

const begin = performance.now()
const seen = []
for (const [process, cache, pause] of [['one', one, 800], ['other', other, 800], ['one', one, 0], ['other', other, 0]]) {
  const value = await cache.wrap('key', load)
  console.log(`${Math.round(performance.now() - begin)} ms: process "${process}" gets the value of load ${value}`)
  seen.push(value)
  await wait(pause)
}
assert.deepEqual(seen, [1, 1, 2, 1])
JS
node run.mjs
