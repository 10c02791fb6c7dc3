// Opens every door of a package as an app would, both ways: node doors.js <package>
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import Fastify from 'fastify'

const require = createRequire(import.meta.url)
const name = process.argv[2]

for (const door of Object.keys(require(`${name}/package.json`).exports)) {
  const specifier = name + door.slice(1)
  const required = require(specifier)
  const imported = door.endsWith('.json')
    ? (await import(specifier, { with: { type: 'json' } })).default
    : await import(specifier)
  for (const [key, value] of Object.entries(imported)) {
    assert.deepEqual(required[key], value, `require('${specifier}') differs from its import in "${key}"`)
  }
}

// @x/cache-core -> cacheCore
const pluginName = name.split('/')[1].replaceAll(/-(\w)/g, (_, letter) => letter.toUpperCase())
const imported = await import(name)
assert.equal(typeof imported.default, 'function', `${name} has no function as its default export`)
assert.equal(imported[pluginName], imported.default, `${name}: ${pluginName} and the default export are not the same`)

for (const plugin of [imported, require(name)]) {
  const app = Fastify()
  app.register(plugin)
  await app.ready()
  assert.ok(app.cache, `${name} does not decorate app.cache`)
  await app.close()
}
