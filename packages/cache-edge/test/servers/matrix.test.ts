import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { PROXY_KINDS, Proxy, versionOf, type ProxyKind } from '@x/test-kit/proxies'
import { measure } from '../fixtures/matrix/properties.js'
import { parseMatrix } from '../fixtures/matrix/table.js'
import { Origin } from '../fixtures/origin.js'

const columns = parseMatrix(readFileSync(join(import.meta.dirname, '../../proxy-matrix.md'), 'utf8'))

/** Replaces "several" by "one", since a proxy that coalesces requests may let some through on a busy machine. */
const steady = (cell: string | undefined): string | undefined => cell?.replace(/^several/, 'one')

/** Returns the column of the measured version, or of one with the same major and minor number. */
function columnOf (kind: string, version: string): Map<string, string> | undefined {
  const minor = version.split('.').slice(0, 2).join('.')
  return columns.get(`${kind} ${version}`) ?? [...columns].find(([name]) => name.startsWith(`${kind} ${minor}.`) || name === `${kind} ${minor}`)?.[1]
}

async function cellsOf (kind: ProxyKind): Promise<Map<string, string>> {
  const origin = await Origin.start()
  t.teardown(() => origin.close())
  return measure({ proxy: await Proxy.start(t, kind, origin.port, { isPatient: true }), origin })
}

const tests = PROXY_KINDS.map((kind) => {
  const version = versionOf(kind)
  const column = version === undefined ? undefined : columnOf(kind, version)
  const skip = version === undefined ? `${kind} is not installed` : column === undefined ? `${kind} ${version} has no column: npm run matrix writes it` : false
  return { kind, version: version ?? '', column, skip }
})
// All proxies are measured at the same time, since each measurement waits for lifetimes of seconds.
const measured = await Promise.allSettled(tests.map(({ kind, skip }) => skip === false ? cellsOf(kind) : new Map<string, string>()))

for (const [at, { kind, version, column, skip }] of tests.entries()) {
  t.test(`${kind} ${version} has the properties of its column in proxy-matrix.md`, { skip }, async (t) => {
    const result = measured[at]!
    if (result.status === 'rejected') throw result.reason
    t.same(new Set(result.value.keys()), new Set(column!.keys()))
    for (const [name, cell] of result.value) t.equal(steady(cell), steady(column!.get(name)), name)
  })
}
