#!/usr/bin/env bash
# fastify 5.12.8: `useSemicolonDelimiter` works in `routerOptions`, and at the top level it is deprecated in favour of that
# (FSTDEP022), but the type of `routerOptions` does not have it: TypeScript 5.9.3 refuses the one spelling that has a future.
# It matters to us because a key has to hold what the router read: tests of this option need a cast.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
npm install --no-audit --no-fund --silent fastify@5.12.8 typescript@5.9.3 @types/node@20.19.43

cat > run.mjs <<'JS'
import assert from 'node:assert/strict'
import Fastify from 'fastify'

const warnings = []
process.on('warning', ({ code }) => warnings.push(code))
const ask = async (options) => {
  const app = Fastify(options)
  app.get('/x', async ({ query }) => query)
  return (await app.inject('/x;a=1')).statusCode
}
assert.equal(await ask({ routerOptions: { useSemicolonDelimiter: true } }), 200)
await new Promise((resolve) => setImmediate(resolve))
assert.deepEqual(warnings, [])
assert.equal(await ask({ useSemicolonDelimiter: true }), 200)
await new Promise((resolve) => setImmediate(resolve))
console.log('at the top level:', warnings)
assert.deepEqual(warnings, ['FSTDEP022'])
JS
node run.mjs

cat > typed.ts <<'TS'
import Fastify from 'fastify'
Fastify({ routerOptions: { useSemicolonDelimiter: true } })
TS
if npx --no-install tsc --noEmit --strict --skipLibCheck --module nodenext --moduleResolution nodenext typed.ts > types.log; then
  echo 'the types have the option'
  exit 1
fi
cat types.log
grep -q "'useSemicolonDelimiter' does not exist" types.log
