#!/usr/bin/env bash
# tap 21.8.0: every process that a test starts gets `NODE_OPTIONS=--import=…/@tapjs/processinfo/…`, also with `--disable-coverage`, and also if
# the test gives the child an environment of its own without NODE_OPTIONS and an empty `execArgv`. Input: a test that forks and spawns Node;
# output: the NODE_OPTIONS of each child. The module adds a loader in a thread of its own, which takes more time than the rest of the start.
# It matters to us because our tests start a hundred processes: they remove tap's listener of `process-on-spawn` when coverage is off.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes > /dev/null
npm install --no-audit --no-fund --silent tap@21.8.0 process-on-spawn@1.1.0

cat > child.mjs <<'JS'
console.log(process.env.NODE_OPTIONS ?? 'none')
JS

cat > children.test.mjs <<'JS'
import { execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import processOnSpawn from 'process-on-spawn'
import t from 'tap'

const options = { execArgv: [], env: { PATH: process.env.PATH } }
const outputOf = async () => {
  const child = fork('child.mjs', [], { ...options, silent: true })
  const [data] = await once(child.stdout, 'data')
  return String(data)
}
t.test('children', async (t) => {
  const spawned = execFileSync(process.execPath, ['child.mjs'], { env: options.env, encoding: 'utf8' })
  const forked = await outputOf()
  for (const [name, output] of Object.entries({ spawned, forked })) {
    t.comment(name, output.replace(/file:\S*node_modules/, '…'))
    t.match(output, /--import=.*@tapjs\/processinfo/)
  }
  processOnSpawn.removeAllListeners()
  t.equal(await outputOf(), 'none\n')
})
JS
npx tap run --disable-coverage --reporter=tap children.test.mjs | grep -E '^ +(# |ok|not ok)|^# \{'
