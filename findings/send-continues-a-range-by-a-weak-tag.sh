#!/usr/bin/env bash
# @fastify/send 4.2.1 (@fastify/static 10.1.11): `Range` with `If-Range: W/"…"`, the weak tag that it computes itself, is answered 206, and so is
# any date after `Last-Modified`. RFC 9110 §13.1.5 wants the strong comparison for tags and an exact match for dates, else the whole
# file: a client may append the part to bytes of another version. Several ranges are answered 200. Seen with fastify 5.12.8.
# It matters to us because ranges that we cut from stored responses follow the RFC: the same file is answered 200 there, and a client
# that worked with the plugin alone loads it whole.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
npm install --no-audit --no-fund --silent fastify@5.12.8 @fastify/static@10.1.11 @fastify/send@4.2.1

cat > run.mjs <<'JS'
import assert from 'node:assert/strict'
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import statics from '@fastify/static'
import Fastify from 'fastify'

mkdirSync('files')
writeFileSync('files/a.txt', '0123456789')
utimesSync('files/a.txt', new Date('2025-06-01T00:00:00Z'), new Date('2025-06-01T00:00:00Z'))
const app = Fastify()
await app.register(statics, { root: resolve('files') })
const { etag } = (await app.inject('/a.txt')).headers
const ask = async (condition, range = 'bytes=0-1') => {
  const { statusCode } = await app.inject({ url: '/a.txt', headers: { range, 'if-range': condition } })
  console.log(`If-Range: ${condition}, Range: ${range}: ${statusCode}`)
  return statusCode
}
assert.match(etag, /^W\//)
assert.equal(await ask(etag), 206)
assert.equal(await ask(`"x", ${etag}`), 206)
assert.equal(await ask('Mon, 02 Jun 2025 00:00:00 GMT'), 206)
assert.equal(await ask('"other"'), 200)
assert.equal(await ask(etag, 'bytes=0-1,4-5'), 200)
JS
node run.mjs
