// Measures every installed proxy with the shipped configuration, and writes its column of proxy-matrix.md: npm run matrix
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PROXY_KINDS, Proxy, versionOf } from '@x/test-kit/proxies'
import { Origin } from '../fixtures/origin.js'
import { measure } from '../fixtures/matrix/properties.js'
import { parseMatrix, printMatrix, type Columns } from '../fixtures/matrix/table.js'

const FILE = join(import.meta.dirname, '../../proxy-matrix.md')
const columns: Columns = parseMatrix(readFileSync(FILE, 'utf8'))
const kinds = process.argv.length > 2 ? PROXY_KINDS.filter((kind) => process.argv.includes(kind)) : PROXY_KINDS
for (const kind of kinds) {
  const version = versionOf(kind)
  if (version === undefined) {
    console.log(`${kind}: not installed`)
    continue
  }
  const ends: Array<() => unknown> = []
  const origin = await Origin.start()
  const proxy = await Proxy.start({ teardown: (end: () => unknown) => { ends.push(end) } } as never, kind, origin.port)
  columns.set(`${kind} ${version}`, await measure({ proxy, origin }))
  for (const end of ends) await end()
  console.log(`${kind} ${version}: measured`)
}
writeFileSync(FILE, printMatrix(readFileSync(FILE, 'utf8'), columns))
