#!/usr/bin/env bash
# @fastify/response-validation 3.0.4 removes the members that the schema of the response lacks from the object that the handler returned,
# and adds defaults to it. An object that the handler took from an in-process cache (lru-cache 11.5.3) has then lost them for every other
# route. Input: /full, /public, /full with one cached user; output: the second /full has no email. Seen with fastify 5.12.8. Fastify's
# serializer alone leaves the object as it is.
# It matters to us because our memory cache has to hand out copies or frozen values: a cache that shares its objects with the handlers has
# its entries edited by the validation of responses.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
npm install --no-audit --no-fund --silent fastify@5.12.8 @fastify/response-validation@3.0.4 lru-cache@11.5.3

cat > run.mjs <<'JS'
import assert from 'node:assert/strict'
import responseValidation from '@fastify/response-validation'
import Fastify from 'fastify'
import { LRUCache } from 'lru-cache'

async function ask (isValidated) {
  const users = new LRUCache({ max: 10 })
  users.set('ann', { name: 'Ann', email: 'ann@example.com' })
  const app = Fastify()
  if (isValidated) await app.register(responseValidation)
  const route = (url, properties) => {
    const response = { 200: { type: 'object', properties, additionalProperties: false } }
    app.get(url, { schema: { response } }, async () => users.get('ann'))
  }
  const name = { type: 'string' }
  route('/public', { name })
  route('/full', { name, email: { type: 'string' } })
  const bodies = []
  for (const url of ['/full', '/public', '/full']) bodies.push((await app.inject(url)).body)
  await app.close()
  return bodies
}

const full = '{"name":"Ann","email":"ann@example.com"}'
const short = '{"name":"Ann"}'
const [plain, validated] = [await ask(false), await ask(true)]
console.log({ plain, validated })
assert.deepEqual(plain, [full, short, full])
assert.deepEqual(validated, [full, short, short])
JS
node run.mjs
